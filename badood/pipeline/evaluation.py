"""What a detector does on images it never saw: our score and every baseline scorer, on every OOD set and the shift grid."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.special
import torch
from numpy.typing import NDArray

from badood.calibrate import Calibrator
from badood.core.artefacts import write_json
from badood.core.errors import BadInput, ReversedOrder
from badood.core.rows import evenly
from badood.data.record import ImageSet
from badood.detect.activations import Activations
from badood.detect.backbone import Detector
from badood.detect.scorers import Scorer, scorer
from badood.detect.train import score
from badood.evaluate.metrics import id_accuracy, mean_over_sets, ood_metrics
from badood.evaluate.shift import shift_table

if TYPE_CHECKING:
    from badood.pipeline.method import Method

OURS = "bad-ood"
"""Name of our own score, 1 - id_confidence, beside the baselines."""


def evaluate(method: "Method", folder: Path) -> Path:
    """`metrics.json`, `scores.parquet` (a row an image: set, label, and the anomaly by every method) and `shift.parquet`.

    Args:
        folder: of a trained detector.
    """
    cfg = method.cfg

    def make(out: Path) -> None:
        judge = Judge(method, folder, cfg.evaluate.scorers)
        sets = {"id": method.images.test, **method.images.ood}
        table = pd.concat([judge.scores(images).assign(set=name) for name, images in sets.items()], ignore_index=True)
        table.to_parquet(out / "scores.parquet")
        uncalibrated = {} if judge.uncalibrated is None else {"uncalibrated": judge.uncalibrated}
        write_json(out / "metrics.json", summary(table) | uncalibrated)
        if judge.calibrator is not None:
            write_json(out / "calibrator.json", judge.calibrator.to_dict())
        if method.images.grid is not None:
            grid = judge.scores(method.images.grid)
            anomalies = {name: grid[name].to_numpy() for name in judge.methods}
            shift_table(method.images.grid.levels, anomalies).to_parquet(out / "shift.parquet")

    return method.run.artefact("evaluate", [folder.name, cfg.evaluate.scorers, cfg.evaluate.fit_images, cfg.calibrate, cfg.data], make)


def shift(method: "Method", folder: Path, name: str) -> Path:
    """`shift.parquet`: the shift table of any scorer of the registry, for one that `evaluate.scorers` leaves out.

    Args:
        folder: of a trained detector. name: of the scorer.

    Raises:
        BadInput: the run has no shift grid, no scorer has this name, or its scores are not finite.
    """
    grid = method.images.grid
    if grid is None:
        raise BadInput(f"run {method.run.id} has no shift grid; name one in data.grid.")

    def make(out: Path) -> None:
        judge = Judge(method, folder, [name])
        anomaly = judge.anomaly(name, judge.see(method.images.pixels(grid)))
        shift_table(grid.levels, {name: anomaly}).to_parquet(out / "shift.parquet")

    return method.run.looked_up("shift", [folder.name, name, method.cfg.evaluate.fit_images, method.cfg.data], make)


class Judge:
    """A detector with its calibrator and the fitted baseline scorers.

    A retrained detector may rank the calibration sets the wrong way round: that is a finding about its outliers, not a reason to
    lose the table. Its figures are taken on the energy as ever, its anomaly is the raw score, and `uncalibrated` says why.

    Args:
        method: the run. folder: of the trained detector. scorers: names of baseline scorers.
    """

    def __init__(self, method: "Method", folder: Path, scorers: Sequence[str]) -> None:
        self.method = method
        self.detector: Detector = method.load_detector(folder)
        self.scorers: dict[str, Scorer] = {name: scorer.make(name) for name in scorers}
        # the ID images the detector was trained on, and those it never saw
        fitting = {
            "train": (method.train_pixels, method.images.train.labels),
            "validation": (method.reference_pixels[0], method.images.validation.labels),
        }
        for known, (pixels, labels) in fitting.items():
            learning = [entry for entry in self.scorers.values() if entry.fitted_on == known]
            if not learning:
                continue
            rows = torch.from_numpy(evenly(len(pixels), method.cfg.evaluate.fit_images))
            seen = self.see(pixels[rows])
            for entry in learning:
                entry.fit(seen, torch.from_numpy(labels)[rows])

    @cached_property
    def _calibrated(self) -> tuple[Calibrator | None, str | None]:
        try:
            return self.method.calibrated(self.detector)[0], None
        except ReversedOrder as error:
            return None, str(error)

    @property
    def calibrator(self) -> Calibrator | None:
        """Energy -> id_confidence; none where it ranks the calibration sets the wrong way round."""
        return self._calibrated[0]

    @property
    def uncalibrated(self) -> str | None:
        """Why there is no calibrator."""
        return self._calibrated[1]

    @property
    def methods(self) -> list[str]:
        """Names of the anomaly columns of `scores`."""
        return [OURS, *self.scorers]

    def see(self, pixels: torch.Tensor) -> Activations:
        """One pass of the detector over (N, 3, H, W) uint8 images."""
        return score(self.detector, pixels, self.method.run.compute, progress=self.method.run.progress)

    def anomaly(self, name: str, seen: Activations) -> NDArray[np.float32]:
        """(N,) anomaly by a baseline scorer, larger = more OOD."""
        found: NDArray[np.float32] = self.scorers[name].score(seen).float().cpu().numpy()
        return found

    def scores(self, images: ImageSet) -> pd.DataFrame:
        """A row an image: label, class named by the detector, energy, id_confidence and the anomaly by every method (larger = more OOD).

        id_confidence is not a number where the detector is uncalibrated.
        """
        seen = self.see(self.method.images.pixels(images))
        energy = self.method.raw(seen)
        confidence = np.full(len(energy), np.nan) if self.calibrator is None else self.calibrator.id_confidence(energy)
        ours = scipy.special.expit(energy) if self.calibrator is None else 1 - confidence
        baselines = {name: self.anomaly(name, seen) for name in self.scorers}
        columns = {
            "label": images.labels,
            "predicted": seen.logits.argmax(dim=1).numpy(),
            "energy": energy,
            "id_confidence": confidence,
            OURS: ours,
        }
        return pd.DataFrame(columns | baselines)


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """ID accuracy, and the metrics of our score and of every baseline: mean over the OOD sets, and per set.

    Our metrics are taken on the energy: calibration is monotone, so ranks are the same, and none is lost to rounding.

    Args:
        table: rows of `Judge.scores` with a column `set`; "id" is the ID test set.
    """
    known = table[table["set"] == "id"]
    odd = dict(iter(table[table["set"] != "id"].groupby("set", sort=False)))

    def of(column: str) -> dict[str, Any]:
        per_set = {str(name): ood_metrics(known[column].to_numpy(), rows[column].to_numpy()) for name, rows in odd.items()}
        return mean_over_sets(per_set) | {"per_set": per_set}

    baselines = [column for column in table.columns if column not in ("set", "label", "predicted", "energy", "id_confidence", OURS)]
    return of("energy") | {
        "id_accuracy": id_accuracy(known["predicted"], known["label"]),
        "scorers": {name: of(name) for name in baselines},
    }
