"""What a detector's judge says of images beyond the tables of a run."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from badood.config import Config
from badood.core.errors import BadInput
from badood.detect.scorers import scorer
from badood.evaluate.metrics import ood_metrics
from badood.explore.finished import Finished
from badood.pipeline.artefacts import Evaluated, Trained
from badood.pipeline.engines import Local
from badood.pipeline.opened import recorded
from badood.pipeline.results import Results
from badood.pipeline.stage import Context
from badood.pipeline.stages import evaluate as stages
from badood.pipeline.stages.evaluate import shift


@pytest.fixture
def found(small_run: Finished) -> Results:
    return recorded(small_run.run)


SINGLE_PASS = [name for name in scorer if "images" not in scorer[name].needs]


def heatmap(run: Finished, found: Results, names: Sequence[str], cfg: Config | None = None, trained: Trained | None = None) -> pd.DataFrame:
    """The shift table of scorers, as the dashboard asks for it."""
    cfg, grid = cfg or run.run.cfg, found.sets.grid
    assert grid is not None
    do = Local(run.run, Context(cfg.compute), timed=False)
    sets = found.sets
    made: Evaluated = do(
        shift, names, cfg.evaluate.fit_images, trained or found.previews.first, sets.train, sets.validation, sets.test, grid
    )
    return made.shift


def test_every_scorer_of_the_registry_has_a_heatmap(small_run: Finished, found: Results) -> None:
    before = small_run.run.record
    every = heatmap(small_run, found, list(scorer))
    assert list(dict.fromkeys(every["method"])) == list(scorer)
    for name, table in every.groupby("method"):
        assert len(table) == 64
        assert np.isfinite(table["mean_anomaly"]).all(), name
        assert table[["rescaled", "auroc"]].apply(lambda column: column.between(0, 1)).all(axis=None)
        assert table["mean_anomaly"].nunique() > 1, f"{name} sees no difference between any two cells"
    assert small_run.run.record == before, "a look leaves run.json to whatever job is writing it"


def test_scorers_of_one_pass_share_it(small_run: Finished, found: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, test = found.sets.grid, found.sets.test
    assert grid is not None
    looks: Counter[bytes] = Counter()
    made = stages.seeing

    def counting(*inputs: Any) -> Any:
        see = made(*inputs)

        def look(pixels: Any) -> Any:
            looks.update(image.tobytes() for image in pixels.array())
            return see(pixels)

        return look

    monkeypatch.setattr(stages, "seeing", counting)
    heatmap(small_run, found, SINGLE_PASS)
    for images in (grid, test):
        expected = Counter(image.tobytes() for image in images.pixels.array())
        assert {image: looks[image] for image in expected} == expected


def test_parts_of_a_set_give_what_the_whole_does(small_run: Finished, found: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = heatmap(small_run, found, ["msp", "knn"])
    monkeypatch.setattr("badood.pipeline.judge.CHUNK", 30)
    few = small_run.run.cfg.evaluate.model_copy(update={"fit_images": 9_999})  # another key
    parts = heatmap(small_run, found, ["msp", "knn"], small_run.run.cfg.model_copy(update={"evaluate": few}))
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-4)


@pytest.mark.parametrize("method", ["bad-ood", "energy"])
def test_auroc_of_the_grid_is_against_the_id_test_images(small_run: Finished, found: Results, method: str) -> None:
    table = small_run.shift("all").query("method == @method")
    trained = Trained(small_run.run.folder / small_run.run.rows["all"].detector)
    assert found.sets.grid is not None
    on_grid = stages.seeing(trained, Context(small_run.run.cfg.compute))(found.sets.grid.pixels).energy.numpy()
    known = small_run.scores("all").query("set == 'id'")["energy"].to_numpy()
    expected = ood_metrics(known, on_grid)["auroc"]
    assert (table["auroc"] * table["count"]).sum() / table["count"].sum() == pytest.approx(expected), "ours is calibrated from the energy"


def test_a_heatmap_asked_for_later_equals_the_runs_own(small_run: Finished, found: Results) -> None:
    own = small_run.shift("all").query("method == 'energy'").reset_index(drop=True)
    trained = Trained(small_run.run.folder / small_run.run.rows["all"].detector)
    pd.testing.assert_frame_equal(heatmap(small_run, found, ["energy"], trained=trained), own, check_dtype=False)


def test_baseline_scorers_are_fitted_on_no_more_images_than_set(small_run: Finished, found: Results) -> None:
    cfg = small_run.run.cfg
    few = cfg.model_copy(update={"evaluate": cfg.evaluate.model_copy(update={"fit_images": 60})})

    def means(of: Config, name: str) -> pd.Series:
        return heatmap(small_run, found, [name], of)["mean_anomaly"]

    assert (means(few, "knn") > means(cfg, "knn")).all(), "the nearest of a few lie further away"
    pd.testing.assert_series_equal(means(few, "energy"), means(cfg, "energy"))


def test_the_class_named_is_kept_beside_the_scores(small_run: Finished) -> None:
    known = small_run.scores("all").query("set == 'id'")
    assert (known["predicted"] == known["label"]).mean() == small_run.run.record["metrics"]["all"]["id_accuracy"]


def test_an_unknown_scorer_is_named(small_run: Finished, found: Results) -> None:
    with pytest.raises(BadInput, match=r"'energi'.*energy"):
        heatmap(small_run, found, ["energi"])
