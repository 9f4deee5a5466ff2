"""Outliers under a detector that exists: the run's own detector judges, nothing is trained, and the run's images outlive it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from badood.core.errors import BadConfig
from badood.core.weights import read
from badood.explore.finished import Finished, finished
from badood.pipeline.ask import score
from badood.pipeline.audit import audit
from badood.pipeline.opened import recorded


def test_the_runs_own_detector_judges(small_run: Finished, photos: Path) -> None:
    audited = finished(audit([photos], small_run.run, "audited"))
    assert audited.sources == ["theirs"]
    assert audited.run.record["state"] == "done"
    own, again = (recorded(run.run).previews.first.weights for run in (small_run, audited))
    weights = {name: tensor for name, tensor in read(own).items() if not name.startswith("head.phi.")}  # no part of given weights
    assert all(np.array_equal(tensor, read(again)[name]) for name, tensor in weights.items())
    # as it scores any images
    asked = score(small_run.run, photos, "all").table.set_index("image")
    table = audited.outliers.table().set_index("file")
    np.testing.assert_allclose(table.loc[asked.index, "energy"], asked["energy"], rtol=0.02, atol=0.02)
    assert set(table["ood_type"]) <= {"OOD-I", "OOD-II", "OOD-III"}
    assert "theirs: 12 outliers" in audited.summary("theirs")


def test_an_audit_outlives_the_run(small_run: Finished, photos: Path) -> None:
    audited = finished(audit([photos], small_run.run, "audited"))
    shutil.rmtree(small_run.run.folder)
    assert len(score(audited.run, photos).table) == 12


def test_two_folders_of_one_name_are_told_apart(small_run: Finished, photos: Path, tmp_path: Path) -> None:
    other = shutil.copytree(photos, tmp_path / "others" / photos.name)
    audited = finished(audit([photos, other], small_run.run, "audited"))
    assert audited.sources == ["theirs", "others-theirs"]
    assert audited.counts == {"theirs": 12, "others-theirs": 12}


def test_without_a_detector_it_says_what_to_name(small_run: Finished, photos: Path) -> None:
    with pytest.raises(BadConfig, match=r"detector\.weights=FILE"):
        audit([photos], small_run.run.cfg)
