"""Any scorer may be what is calibrated: confidences, bands, tables and answers then rest on it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.special
import torch

from badood import config
from badood.config import load_config
from badood.core.errors import BadConfig
from badood.core.rows import evenly
from badood.detect.scorers import scorer
from badood.evaluate.metrics import ood_metrics
from badood.explore.finished import finished
from badood.pipeline import ask
from badood.pipeline.artefacts import Ranked
from badood.pipeline.audit import audit
from badood.pipeline.notices import of_ranked
from badood.pipeline.opened import recorded
from badood.pipeline.path import retrain
from badood.pipeline.preflight import preflight
from badood.pipeline.raw_score import anomaly, fit_raw_score
from badood.pipeline.runs import Run, open_run
from badood.pipeline.stage import Context
from badood.pipeline.stages.calibrate import calibrated, held_out
from badood.pipeline.stages.detect import seeing
from badood.pipeline.stages.rank import settled
from tests.conftest import SMALL_SETTINGS, store_with

KNN = {"name": "knn", "k": 10}
SETTINGS = [
    *SMALL_SETTINGS,
    # so that KNN ranks the held-out sets clearly, however a machine rounds
    "data.train.params.count=600",
    "detector.epochs=4",
    "calibrate.score={name: knn, k: 10}",
    "evaluate.scorers=[msp, {name: knn, k: 10}, mahalanobis]",
    "evaluate.filters=[all]",
    "filter.strategy=all",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run whose confidences rest on KNN."""
    return store_with(tmp_path_factory.mktemp("store"), SETTINGS, "on-knn")


@pytest.fixture
def on_knn(store: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("BADOOD_HOME", str(store))
    return open_run("on-knn")


def test_confidences_rest_on_the_scorer(on_knn: Run) -> None:
    found = recorded(on_knn)
    table, reference = found.confidence.table().to_pandas(), found.confidence.reference
    assert not np.allclose(table["energy"], table["log_odds"])
    np.testing.assert_allclose(table["raw_score"], scipy.special.expit(table["log_odds"]))
    falling = table.sort_values("log_odds")["id_confidence"]
    assert falling.is_monotonic_decreasing
    assert falling.nunique() > 20
    held_out = reference.loc[reference["set"] == "validation", "log_odds"]
    assert held_out.mean() == pytest.approx(0, abs=1e-6)
    assert held_out.std(ddof=0) == pytest.approx(1, abs=1e-6)


def test_our_figures_are_the_scorers_own(on_knn: Run) -> None:
    row = on_knn.rows["all"]
    knn = row.scorers["knn(k=10)"]
    assert {name: getattr(row, name) for name in ("fpr95", "auroc", "aupr")} == pytest.approx(
        {name: knn[name] for name in ("fpr95", "auroc", "aupr")}
    )
    table = finished("on-knn").scores("all")
    assert table["bad-ood"].corr(table["knn(k=10)"], method="spearman") == pytest.approx(1)


def test_questions_and_retrains_rest_on_it_too(on_knn: Run, photos: Path) -> None:
    asked = ask.score(on_knn, photos, "all").table
    own = finished("on-knn").scores("all").query("set == 'near'").iloc[:12]
    np.testing.assert_allclose(asked["id_confidence"], own["id_confidence"], atol=1e-4)
    half = float(np.median(recorded(on_knn).confidence.outliers))
    row = retrain(on_knn, config.Filter(strategy="band", lo=0.0, hi=half))
    assert row.kept == 45
    assert row.auroc == pytest.approx(row.scorers["knn(k=10)"]["auroc"])


def test_auto_takes_what_ranks_best_and_whoever_takes_another_is_told(on_knn: Run) -> None:
    ranked = Ranked(on_knn.folder / on_knn.record["results"]["ranked"])
    best, *others = ranked.table
    assert {each["name"] for each in ranked.table} == {"energy", "msp", "knn(k=10)", "mahalanobis"}
    assert all(each["auroc"] <= best["auroc"] for each in others)
    assert settled(config.Calibrate(score="auto"), ranked).score == best["entry"]
    weaker = next(each for each in others if each["auroc"] < best["auroc"] - 0.01)
    (told,) = of_ranked(ranked, config.Calibrate(score=weaker["entry"]))
    for part in (best["name"], weaker["name"], f"{best['auroc']:.1%}", f"{weaker['auroc']:.1%}", "calibrate.score="):
        assert part in told
    assert of_ranked(ranked, config.Calibrate(score=best["entry"])) == []
    assert recorded(on_knn).scoring.score == KNN


def test_an_audit_of_a_run_is_calibrated_on_the_same_score(on_knn: Run, photos: Path) -> None:
    audited = audit([photos], on_knn, "audited")
    assert recorded(audited).scoring == recorded(on_knn).scoring
    own = finished("on-knn").scores("all").query("set == 'near'").iloc[:12]
    found = recorded(audited).confidence.table().to_pandas()
    np.testing.assert_allclose(found["id_confidence"], own["id_confidence"], atol=1e-4)


@pytest.mark.parametrize("score", ["knm", {"name": "knn", "k": 0}, {"k": 3}])
def test_a_scorer_that_cannot_be_is_told_before_anything(score: object) -> None:
    with pytest.raises(BadConfig):
        preflight(load_config("miniworld", [f"calibrate.score={json.dumps(score)}"]))


@pytest.mark.parametrize("name", sorted(scorer))
def test_every_scorer_can_be_calibrated(on_knn: Run, name: str) -> None:
    found = recorded(on_knn)
    sets, see = found.sets, seeing(found.previews.first, Context(on_knn.cfg.compute))
    raw = fit_raw_score(name, see, sets.train, sets.validation, 200)
    reference = held_out(raw, see, sets.validation, sets.auxiliary)
    assert np.isfinite(reference["log_odds"]).all()
    own = reference.loc[reference["set"] == "validation", "log_odds"]
    assert (raw.centre, raw.spread) == (0, 1) if name in ("energy", "phi") else own.mean() == pytest.approx(0, abs=1e-4)
    if auroc(reference) > 0.55:
        fitted, table = calibrated(raw, see, "beta", sets.validation, sets.auxiliary)
        assert table.sort_values("log_odds")["id_confidence"].is_monotonic_decreasing
        assert fitted.id_confidence([-3.0]) > fitted.id_confidence([3.0])


@pytest.mark.parametrize("name", [name for name in sorted(scorer) if scorer[name].fitted_on == "validation"])
def test_validation_images_do_not_judge_a_scorer_that_learnt_from_them(on_knn: Run, name: str) -> None:
    """So few images lie in the principal space that `residual` finds in them, which would make it perfect on them."""
    found = recorded(on_knn)
    sets, see = found.sets, seeing(found.previews.first, Context(on_knn.cfg.compute))
    learnt = fit_raw_score(name, see, sets.train, sets.validation, 200).scorer
    few = sets.train.pixels.take(evenly(len(sets.train), 200))
    expected = scorer.make(name).fit(see(few), torch.from_numpy(sets.train.labels[evenly(len(sets.train), 200)]))
    held = see(sets.validation.pixels)
    np.testing.assert_allclose(anomaly(learnt, held), anomaly(expected, held), rtol=1e-4, atol=1e-5)


def auroc(reference: pd.DataFrame) -> float:
    parts = dict(iter(reference.groupby("set")["log_odds"]))
    return ood_metrics(parts["validation"].to_numpy(), parts["auxiliary"].to_numpy())["auroc"]
