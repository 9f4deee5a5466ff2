"""`badood export` writes what the functions write."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from badood.cli import app
from badood.core.errors import BadInput
from badood.explore.finished import Finished


@pytest.mark.parametrize("kind", ["folder", "parquet", "csv", "report"])
def test_every_kind_is_written(kind: str, found: Finished, tmp_path: Path) -> None:
    target = tmp_path / "target"
    done = CliRunner().invoke(
        app, ["export", str(found.run.folder), str(target), "--as", kind, "--band", "0.3", "0.5"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert target.exists()
    assert str(target) in done.output


def test_a_band_selects(found: Finished, tmp_path: Path) -> None:
    CliRunner().invoke(
        app, ["export", str(found.run.folder), str(tmp_path / "a.csv"), "--as", "csv", "--band", "0.3", "0.5"], catch_exceptions=False
    )
    assert pd.read_csv(tmp_path / "a.csv")["id_confidence"].between(0.3, 0.5).all()


def test_a_file_that_is_there_is_left_alone(found: Finished, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    done = CliRunner().invoke(app, ["export", str(found.run.folder), str(tmp_path / "a.csv"), "--as", "csv"])
    assert isinstance(done.exception, BadInput)
    assert "exists" in str(done.exception)
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_an_unknown_kind_is_wrong_usage(found: Finished, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["export", str(found.run.folder), str(tmp_path / "a"), "--as", "pdf"]).exit_code == 2
