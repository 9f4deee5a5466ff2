"""A finished folder whose files are not as they were written is noticed, made again, and given to no stage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from badood.config import load_config
from badood.core.errors import BadInput
from badood.core.sums import damage, seal
from badood.pipeline.artefacts import Artefact
from badood.pipeline.engines import Local
from badood.pipeline.runs import start_run
from badood.pipeline.stage import Context, stage


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip, "a.npy has other bytes"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "a.npy has 927 bytes and was written with 928"),
        (lambda file: file.unlink(), "a.npy is missing"),
        (lambda file: (file.parents[1] / ".sums.json").write_text("{"), "cannot be read"),
        (lambda file: (file.parents[1] / ".sums.json").write_text("3"), "cannot be read"),
    ],
)
def test_every_change_is_noticed(change: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", np.arange(100))
    assert damage(tmp_path) == "", "what nobody sealed is not judged"
    seal(tmp_path)
    assert damage(tmp_path) == ""
    change(tmp_path / "in" / "a.npy")
    assert said in damage(tmp_path)


@stage("written", version=1, result=Artefact)
def written(out: Path, number: int, ctx: Context) -> None:
    (out / "number.txt").write_text(str(number))


@stage("read", version=1, result=Artefact)
def read(out: Path, before: list[Artefact], ctx: Context) -> None:
    (out / "sum.txt").write_text(str(sum(int((each.folder / "number.txt").read_text()) for each in before)))


def test_a_damaged_result_is_made_again_and_a_stage_refuses_one(caplog: pytest.LogCaptureFixture) -> None:
    cfg = load_config("miniworld")
    do = Local(start_run(cfg, "damaged"), Context(cfg.compute))
    first, other = do(written, 12), do(written, 30)
    flip(first.folder / "number.txt")
    with pytest.raises(BadInput, match=r"number.txt has other bytes than were written\); start the run again by the command that began it"):
        do(read, [first, other])
    assert (do(written, 12).folder / "number.txt").read_text() == "12"
    assert "is damaged (number.txt has other bytes than were written); it is made again" in caplog.text
    assert (do(read, [first, other]).folder / "sum.txt").read_text() == "42"
