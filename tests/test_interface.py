"""What a notebook uses: the examples of its docstrings, and plug-ins that a cell registers."""

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import badood
from badood import interface
from badood.core.progress import Silent
from badood.explore.finished import Finished
from tests.pipeline.tiny import TINY, photos


def test_examples_of_the_docstrings_are_true(small_run: Finished) -> None:
    result = doctest.testmod(interface, extraglobs={"run": badood.open(small_run.run.id)})
    assert result.attempted > 10
    assert result.failed == 0


def test_everything_that_is_offered_is_there() -> None:
    for name in badood.__all__:
        assert getattr(badood, name) is not None
    with pytest.raises(AttributeError, match=r"runn.*run"):
        badood.runn  # noqa: B018


def test_selections_by_type_source_verdict_and_mask_meet(small_run: Finished) -> None:
    run = badood.open(small_run.run.id)
    table = run.outliers
    first = table["outlier_id"].iloc[:10].tolist()
    run.judge(first, "reject")
    assert run.select(verdict="reject").ids.tolist() == sorted(first)
    of_type = table.loc[table["outlier_id"].isin(first), "ood_type"].iloc[0]
    both = run.select(verdict="reject", ood_type=of_type)
    assert set(both.ids) == set(table.loc[table["outlier_id"].isin(first) & (table["ood_type"] == of_type), "outlier_id"])
    assert len(run.select(table["id_confidence"] < 0.5, source=run.settings.outliers[0].name)) == (table["id_confidence"] < 0.5).sum()
    with pytest.raises(badood.BadInput, match="0 of 90"):
        run.select([])
    with pytest.raises(badood.BadInput, match="one for each row"):
        run.select(pd.Series([True, False]))


def test_a_selection_is_retrained_under_its_own_name(small_run: Finished) -> None:
    run = badood.open(small_run.run.id)
    kept = run.select(run.outliers["outlier_id"] % 2 == 0)
    row = run.retrain(kept, name="every second")
    assert row.kept == 45
    assert badood.open(run.id).table.query("filter == 'every second'")["kept"].item() == 45
    assert run.found.kept("every second").tolist() == kept.ids.tolist()


def test_guidance_moves_an_anchor_the_farther_the_larger_its_scale(small_run: Finished) -> None:
    run = badood.open(small_run.run.id)
    made = run.guided(range(4), scales=[0, 0.05, 0.4], t=[100, 600])
    assert len(made) == 4 * 3 * 2
    assert made["image"].iloc[0].size == (64, 64)
    assert made["id_confidence"].between(0, 1).all()
    mean = made.groupby(["t", "guidance_scale"])["minority_score"].mean().unstack()
    assert (np.diff(mean.to_numpy()) > 0).all()
    alone = run.guided(2, scales=[0.05], t=[100])
    among = made.query("anchor_row == 2 and guidance_scale == 0.05 and t == 100")
    assert alone["minority_score"].item() == pytest.approx(among["minority_score"].item(), rel=1e-3)
    with pytest.raises(badood.BadInput, match=r"no ID training image 100000; rows go from 0 to"):
        run.guided(100_000)
    with pytest.raises(badood.BadInput, match="start"):
        run.guided(0, t=[5000])


def test_selections_are_repeated_with_several_seeds_and_the_table_stays(small_run: Finished) -> None:
    run = badood.open(small_run.run.id)
    half = run.select(run.outliers["outlier_id"] % 2 == 0)
    before = run.table
    rows = run.repeat({"none": None, "half": half}, seeds=2, progress=Silent())
    assert rows[["seed", "row", "kept"]].to_numpy().tolist() == [[0, "none", 0], [0, "half", 45], [1, "none", 0], [1, "half", 45]]
    assert rows["fpr95"].between(0, 1).all()
    assert rows.pivot(index="seed", columns="row", values="auroc").nunique().tolist() == [2, 2], "another seed, another detector"
    pd.testing.assert_frame_equal(run.table, before)
    # the run's own seed is its own retrain
    assert run.retrain(half, progress=Silent()).auroc == rows.query("seed == 0 and row == 'half'")["auroc"].item()


def test_an_audit_takes_an_open_run_and_is_one(small_run: Finished, tmp_path: Path) -> None:
    theirs = photos(tmp_path / "theirs", ["bus", "mug"], 6)
    audited = badood.audit(theirs, badood.open(small_run.run.id), "audited", Silent())
    assert len(audited.outliers) == 12
    assert audited.found.sources == ["theirs"]


def test_a_detector_of_ones_own_is_tuned_unless_settings_say_otherwise(tmp_path: Path) -> None:
    weights = tmp_path / "mine.pth"
    torch.save({}, weights)
    tuned = badood.settings(detector=weights).detector
    assert (tuned.weights, tuned.mode, tuned.backbone) == (str(weights), "tuned", "auto")
    assert badood.settings(detector="timm:resnet18", set={"detector.mode": "as-is"}).detector.mode == "as-is"


@pytest.mark.slow
def test_models_are_trained_for_a_folder_and_their_preset_can_be_run(tmp_path: Path) -> None:
    folder = photos(tmp_path / "mine", ["fish", "jeep"], 20)
    given = {name: yaml.safe_load(value) for name, _, value in (each.partition("=") for each in TINY)}
    models = badood.train(folder, size=32, set=given, progress=Silent())
    assert models.before is None
    assert models.after.images == 8
    cfg = badood.settings(models.preset, data=folder)
    assert (cfg.data.image_size, cfg.data.train.dataset) == (32, "folder")
