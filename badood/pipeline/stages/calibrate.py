"""Raw scores -> id_confidence. Paper sec. 3.5."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.special

from badood import config
from badood.calibrate import Calibrator, calibrator
from badood.core.artefacts import write_json
from badood.core.rows import Rows
from badood.pipeline.artefacts import Confidence, Images, Outliers, Trained
from badood.pipeline.raw_score import CHUNK, RawScore, See, fit_raw_score
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.detect import seeing

_CHUNK = CHUNK
"""Outliers that whoever works at them takes at a time."""


@stage("calibrate", version=3, result=Confidence)
def calibrate(
    out: Path,
    cfg: config.Calibrate,
    fit_images: int,
    trained: Trained,
    train: Images,
    outliers: Outliers,
    validation: Images,
    auxiliary: Images,
    ctx: Context,
) -> None:
    """`outliers.parquet` (energy, log_odds, raw_score, id_confidence), `reference.parquet` (set, log_odds, id_confidence), `calibrator.json`.

    Args:
        fit_images: ID images that a scorer is fitted on.
    """
    see = seeing(trained, ctx)
    raw = fit_raw_score(cfg.score, see, train, validation, fit_images)
    fitted, reference = calibrated(raw, see, cfg.method, validation, auxiliary)
    table = pd.concat(ctx.over("calibrate", list(outliers.pixels.parts(_CHUNK)), scoring, trained, raw), ignore_index=True)
    log_odds = table["log_odds"].to_numpy()
    table = table.assign(raw_score=scipy.special.expit(log_odds), id_confidence=fitted.id_confidence(log_odds))
    table.to_parquet(out / "outliers.parquet")
    reference.to_parquet(out / "reference.parquet")
    write_json(out / "calibrator.json", fitted.to_dict())


def scoring(trained: Trained, raw: RawScore, ctx: Context) -> Callable[[Rows], pd.DataFrame]:
    """energy and log_odds of some images."""
    see = seeing(trained, ctx)

    def scored(pixels: Rows) -> pd.DataFrame:
        seen = see(pixels)
        return pd.DataFrame({"energy": np.asarray(seen.energy, dtype=np.float64), "log_odds": raw.log_odds(seen)})

    return scored


def calibrated(raw: RawScore, see: See, method: str, validation: Images, auxiliary: Images) -> tuple[Calibrator, pd.DataFrame]:
    """A calibrator fitted on images that the detector never saw, and these images' table: set, log_odds, id_confidence.

    Raises:
        ReversedOrder: the detector ranks ID validation above the auxiliary set.
    """
    reference = held_out(raw, see, validation, auxiliary)
    is_id = (reference["set"] == "validation").to_numpy()
    log_odds = reference["log_odds"].to_numpy(np.float64)
    fitted = calibrator.make(method).fit(log_odds, is_id)
    return fitted, reference.assign(id_confidence=fitted.id_confidence(log_odds))


def held_out(raw: RawScore, see: See, validation: Images, auxiliary: Images) -> pd.DataFrame:
    """ID validation and auxiliary OOD images under a detector: set, log_odds."""
    parts = {"validation": validation, "auxiliary": auxiliary}
    found = {name: np.concatenate([raw.log_odds(see(part)) for part in images.pixels.parts(CHUNK)]) for name, images in parts.items()}
    return pd.concat([pd.DataFrame({"set": name, "log_odds": log_odds}) for name, log_odds in found.items()], ignore_index=True)
