"""What a detector's judge says of images beyond the tables of a run."""

import numpy as np
import pandas as pd
import pytest

from badood.config import Config
from badood.core.errors import BadInput
from badood.detect.scorers import scorer
from badood.explore.finished import Finished
from badood.pipeline.artefacts import Evaluated, Trained
from badood.pipeline.engines import Local
from badood.pipeline.opened import recorded
from badood.pipeline.results import Results
from badood.pipeline.stage import Context
from badood.pipeline.stages.evaluate import shift


@pytest.fixture
def found(small_run: Finished) -> Results:
    return recorded(small_run.run)


def heatmap(run: Finished, found: Results, name: str, cfg: Config | None = None, trained: Trained | None = None) -> pd.DataFrame:
    """The shift table of one scorer, as the dashboard asks for it."""
    cfg, grid = cfg or run.run.cfg, found.sets.grid
    assert grid is not None
    do = Local(run.run, Context(cfg.compute), timed=False)
    made: Evaluated = do(
        shift, name, cfg.evaluate.fit_images, trained or found.previews.first, found.sets.train, found.sets.validation, grid
    )
    return made.shift


def test_every_scorer_of_the_registry_has_a_heatmap(small_run: Finished, found: Results) -> None:
    before = small_run.run.record
    for name in scorer:
        table = heatmap(small_run, found, name)
        assert len(table) == 64
        assert np.isfinite(table["mean_anomaly"]).all(), name
        assert table["rescaled"].between(0, 1).all()
        assert table["mean_anomaly"].nunique() > 1, f"{name} sees no difference between any two cells"
    assert small_run.run.record == before, "a look leaves run.json to whatever job is writing it"


def test_a_heatmap_asked_for_later_equals_the_runs_own(small_run: Finished, found: Results) -> None:
    own = small_run.shift("all").query("method == 'energy'").reset_index(drop=True)
    trained = Trained(small_run.run.folder / small_run.run.rows["all"].detector)
    pd.testing.assert_frame_equal(heatmap(small_run, found, "energy", trained=trained), own)


def test_baseline_scorers_are_fitted_on_no_more_images_than_set(small_run: Finished, found: Results) -> None:
    cfg = small_run.run.cfg
    few = cfg.model_copy(update={"evaluate": cfg.evaluate.model_copy(update={"fit_images": 60})})

    def means(of: Config, name: str) -> pd.Series:
        return heatmap(small_run, found, name, of)["mean_anomaly"]

    assert (means(few, "knn") > means(cfg, "knn")).all(), "the nearest of a few lie further away"
    pd.testing.assert_series_equal(means(few, "energy"), means(cfg, "energy"))


def test_the_class_named_is_kept_beside_the_scores(small_run: Finished) -> None:
    known = small_run.scores("all").query("set == 'id'")
    assert (known["predicted"] == known["label"]).mean() == small_run.run.record["metrics"]["all"]["id_accuracy"]


def test_an_unknown_scorer_is_named(small_run: Finished, found: Results) -> None:
    with pytest.raises(BadInput, match=r"'energi'.*energy"):
        heatmap(small_run, found, "energi")
