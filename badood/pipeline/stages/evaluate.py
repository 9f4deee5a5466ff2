"""A detector on images that it never saw: every scorer on every OOD set and on the shift grid."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from badood import config
from badood.core.artefacts import write_json
from badood.core.errors import Uncalibrated
from badood.detect.scorers import named
from badood.evaluate.metrics import ood_metrics
from badood.evaluate.shift import shift_table
from badood.pipeline.artefacts import OURS, Evaluated, Images, Trained
from badood.pipeline.judge import Judge, summary
from badood.pipeline.raw_score import anomaly, fit_raw_score, fit_scorers
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.calibrate import calibrated, held_out
from badood.pipeline.stages.detect import seeing


@stage("evaluate", version=2, result=Evaluated)
def evaluate(
    out: Path,
    scorers: Sequence[str | Mapping[str, Any]],
    fit_images: int,
    calibrate: config.Calibrate,
    trained: Trained,
    train: Images,
    validation: Images,
    auxiliary: Images,
    test: Images,
    ood: Mapping[str, Images],
    grid: Images | None,
    ctx: Context,
) -> None:
    """`metrics.json`, `scores.parquet` (a row an image), `calibrator.json` and, with a grid, `shift.parquet`.

    A retrained detector may rank the calibration sets the wrong way round: that is a finding about its outliers, not a reason to lose the
    table. Its figures are taken on the raw score as ever, and `uncalibrated` says why it has no calibrator.
    """
    see = seeing(trained, ctx)
    raw = fit_raw_score(calibrate.score, see, train, validation, fit_images)
    told: dict[str, Any] = {}
    try:
        fitted, reference = calibrated(raw, see, calibrate.method, validation, auxiliary)
        write_json(out / "calibrator.json", fitted.to_dict())
    except Uncalibrated as error:
        fitted, reference, told = None, held_out(raw, see, validation, auxiliary), {"uncalibrated": str(error)}
    judge = Judge(see, fitted, raw, dict(map(named, scorers))).fitted(train, validation, fit_images)
    table = pd.concat([judge.scores(images).assign(set=name) for name, images in {"id": test, **ood}.items()], ignore_index=True)
    table.to_parquet(out / "scores.parquet")
    log_odds = {name: rows["log_odds"].to_numpy() for name, rows in reference.groupby("set")}
    told["validation"] = ood_metrics(log_odds["validation"], log_odds["auxiliary"])
    write_json(out / "metrics.json", summary(table) | told)
    if grid is not None:
        seen = see(grid.pixels)
        ours = judge.scores_of(seen, grid)[OURS].to_numpy()
        baselines = {name: judge.anomaly(name, seen) for name in judge.scorers}
        shift_table(grid.levels, {OURS: ours, **baselines}).to_parquet(out / "shift.parquet")


@stage("shift", version=1, result=Evaluated)
def shift(
    out: Path,
    scorer: str | Mapping[str, Any],
    fit_images: int,
    trained: Trained,
    train: Images,
    validation: Images,
    grid: Images,
    ctx: Context,
) -> None:
    """`shift.parquet` of one scorer, for one that `evaluate.scorers` leaves out."""
    see = seeing(trained, ctx)
    name, made = named(scorer)
    fit_scorers([made], see, train, validation, fit_images)
    shift_table(grid.levels, {name: anomaly(made, see(grid.pixels))}).to_parquet(out / "shift.parquet")
