"""What a detector's judge says of images beyond the tables of a run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from badood.core.errors import BadInput
from badood.detect.scorers import scorer
from badood.explore.finished import Finished
from badood.pipeline import evaluation
from badood.pipeline.method import Method


@pytest.fixture
def method(small_run: Finished) -> Method:
    return Method(small_run.run)


def test_every_scorer_of_the_registry_has_a_heatmap(small_run: Finished, method: Method) -> None:
    before = small_run.run.record
    for name in scorer:
        table = pd.read_parquet(evaluation.shift(method, method.first_detector, name) / "shift.parquet")
        assert len(table) == 64
        assert np.isfinite(table["mean_anomaly"]).all(), name
        assert table["rescaled"].between(0, 1).all()
        assert table["mean_anomaly"].nunique() > 1, f"{name} sees no difference between any two cells"
    assert small_run.run.record == before, "a look leaves run.json to whatever job is writing it"


def test_a_heatmap_asked_for_later_equals_the_runs_own(small_run: Finished, method: Method) -> None:
    own = small_run.shift("all").query("method == 'energy'").reset_index(drop=True)
    folder = method.run.folder / small_run.run.record["metrics"]["all"]["detector"]
    pd.testing.assert_frame_equal(pd.read_parquet(evaluation.shift(method, folder, "energy") / "shift.parquet"), own)


def test_baseline_scorers_are_fitted_on_no_more_images_than_set(small_run: Finished, method: Method) -> None:
    cfg = small_run.run.cfg
    few = Method(replace(small_run.run, cfg=cfg.model_copy(update={"evaluate": cfg.evaluate.model_copy(update={"fit_images": 60})})))

    def heatmap(of: Method, name: str) -> pd.Series:
        return pd.read_parquet(evaluation.shift(of, of.first_detector, name) / "shift.parquet")["mean_anomaly"]

    assert (heatmap(few, "knn") > heatmap(method, "knn")).all(), "the nearest of a few lie further away"
    pd.testing.assert_series_equal(heatmap(few, "energy"), heatmap(method, "energy"))


def test_the_class_named_is_kept_beside_the_scores(small_run: Finished) -> None:
    known = small_run.scores("all").query("set == 'id'")
    assert (known["predicted"] == known["label"]).mean() == small_run.run.record["metrics"]["all"]["id_accuracy"]


def test_an_unknown_scorer_is_named(method: Method) -> None:
    with pytest.raises(BadInput, match=r"'energi'.*energy"):
        evaluation.shift(method, method.first_detector, "energi")
