"""Raw scores -> id_confidence. Paper sec. 3.5."""

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray

from badood import config
from badood.calibrate import Calibrator, calibrator
from badood.core.artefacts import write_json
from badood.core.compute import Compute
from badood.core.progress import Progress
from badood.core.rows import Rows
from badood.detect.activations import Activations
from badood.detect.backbone import Detector
from badood.detect.train import score
from badood.pipeline.artefacts import Confidence, Images, Outliers, Trained
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.detect import load

_CHUNK = 16_384
"""Images whose features are in memory at a time."""


@stage("calibrate", version=1, result=Confidence)
def calibrate(
    out: Path,
    cfg: config.Calibrate,
    trained: Trained,
    outliers: Outliers,
    validation: Images,
    auxiliary: Images,
    ctx: Context,
) -> None:
    """`outliers.parquet` (energy, raw_score, id_confidence), `reference.parquet` (set, energy, id_confidence) and `calibrator.json`."""
    network = load(trained, ctx.compute)
    fitted, reference = calibrated(network, cfg, validation, auxiliary, ctx.compute)
    energy = energies(network, outliers.pixels, cfg, ctx.compute, ctx.progress)
    columns = {"energy": energy, "raw_score": scipy.special.expit(energy), "id_confidence": fitted.id_confidence(energy)}
    pd.DataFrame(columns).to_parquet(out / "outliers.parquet")
    reference.to_parquet(out / "reference.parquet")
    write_json(out / "calibrator.json", fitted.to_dict())


def calibrated(
    network: Detector, cfg: config.Calibrate, validation: Images, auxiliary: Images, compute: Compute
) -> tuple[Calibrator, pd.DataFrame]:
    """A calibrator fitted on images that the detector never saw, and these images' table: set, energy, id_confidence.

    Raises:
        ReversedOrder: the detector ranks ID validation above the auxiliary set.
    """
    reference = held_out(network, cfg, validation, auxiliary, compute)
    is_id = (reference["set"] == "validation").to_numpy()
    energy = reference["energy"].to_numpy(np.float64)
    fitted = calibrator.make(cfg.method).fit(energy, is_id)
    return fitted, reference.assign(id_confidence=fitted.id_confidence(energy))


def held_out(network: Detector, cfg: config.Calibrate, validation: Images, auxiliary: Images, compute: Compute) -> pd.DataFrame:
    """ID validation and auxiliary OOD images under a detector: set, energy."""
    parts = {"validation": validation, "auxiliary": auxiliary}
    found = {name: energies(network, images.pixels, cfg, compute) for name, images in parts.items()}
    return pd.concat([pd.DataFrame({"set": name, "energy": energy}) for name, energy in found.items()], ignore_index=True)


def energies(
    network: Detector, pixels: Rows, cfg: config.Calibrate, compute: Compute, progress: Progress | None = None
) -> NDArray[np.float64]:
    """(N,) raw anomaly of images under a detector; see `raw`."""
    parts = [raw(score(network, part, compute, progress=progress), cfg) for part in pixels.parts(_CHUNK)]
    return np.concatenate(parts)


def raw(activations: Activations, cfg: config.Calibrate) -> NDArray[np.float64]:
    """(N,) log-odds of the raw score: E, or phi(E) where `calibrate.score` says so; larger looks more OOD."""
    return np.asarray(activations.energy if cfg.score == "energy" else activations.phi, dtype=np.float64)
