"""The ratio is measured over every scorer that reads one pass."""

import re
import sys

import pytest

from badood.benchmark import shift_pass
from badood.detect.scorers import scorer


def test_the_ratio_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shift_pass, "RENDERED", 1)
    monkeypatch.setattr(sys, "argv", ["shift_pass", "--per-cell", "1", "--repeats", "1"])
    shift_pass.main()
    found = re.match(r"(\d+) scorers on 64 x 1 images: (\d+\.\d+) x one plain forward pass", capsys.readouterr().out)
    assert found is not None
    assert int(found[1]) == sum("images" not in made.needs for made in scorer.values())
    assert float(found[2]) > 0
