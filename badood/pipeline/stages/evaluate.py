"""A detector on images that it never saw: every scorer on every OOD set and on the shift grid."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood import config
from badood.core.artefacts import write_json
from badood.core.errors import Uncalibrated
from badood.detect.scorers import named
from badood.evaluate.metrics import ood_metrics, placements
from badood.evaluate.shift import shift_table
from badood.pipeline.artefacts import OURS, Evaluated, Images, Trained
from badood.pipeline.judge import ID_SET, Judge, baselines, in_parts, summary
from badood.pipeline.raw_score import fit_raw_score, fit_scorers
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.calibrate import calibrated, held_out
from badood.pipeline.stages.detect import seeing


@stage("evaluate", version=4, result=Evaluated)
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
    table = pd.concat([judge.scores(images).assign(set=name) for name, images in {ID_SET: test, **ood}.items()], ignore_index=True)
    table.to_parquet(out / "scores.parquet")
    log_odds = {name: rows["log_odds"].to_numpy() for name, rows in reference.groupby("set")}
    told["validation"] = ood_metrics(log_odds["validation"], log_odds["auxiliary"])
    write_json(out / "metrics.json", summary(table) | told)
    if grid is not None:
        on_grid = judge.scores(grid).astype({"energy": np.float32})  # a baseline of this name is in float32, as all are
        known = table[table["set"] == ID_SET]
        shift_of(grid.levels, [OURS, *judge.scorers], known, on_grid).to_parquet(out / "shift.parquet")


@stage("shift", version=2, result=Evaluated)
def shift(
    out: Path,
    scorers: Sequence[str | Mapping[str, Any]],
    fit_images: int,
    trained: Trained,
    train: Images,
    validation: Images,
    test: Images,
    grid: Images,
    ctx: Context,
) -> None:
    """`shift.parquet` of scorers that `evaluate.scorers` leaves out, from one pass of the detector over the grid, and one over the ID test
    images; scorers that run the network again make passes of their own."""
    see = seeing(trained, ctx)
    made = dict(map(named, scorers))
    fit_scorers(made.values(), see, train, validation, fit_images)
    known, on_grid = (in_parts(partial(baselines, made), see, images.pixels) for images in (test, grid))
    shift_of(grid.levels, list(made), known, on_grid).to_parquet(out / "shift.parquet")


def shift_of(
    levels: Mapping[str, NDArray[np.floating]], methods: Sequence[str], known: pd.DataFrame, on_grid: pd.DataFrame
) -> pd.DataFrame:
    """The shift table of methods, from their columns in the tables of the ID test images and of the grid."""
    # calibration is monotone, so the AUROC of ours is that of the log-odds, whose ranks rounding does not tie
    ranked = {name: "log_odds" if name == OURS else name for name in methods}
    placed = {name: placements(known[column], on_grid[column]) for name, column in ranked.items()}
    return shift_table(levels, {name: on_grid[name].to_numpy() for name in methods}, placed)
