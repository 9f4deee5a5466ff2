"""What a detector does on images: our score and every baseline scorer, from one pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
import torch
from numpy.typing import NDArray
from torch import Tensor

from badood import config
from badood.calibrate import Calibrator
from badood.core.compute import Compute
from badood.core.errors import BadInput
from badood.core.progress import Progress
from badood.core.rows import evenly
from badood.data.record import ImageSet
from badood.detect.activations import Activations
from badood.detect.backbone import Detector
from badood.detect.scorers import Scorer
from badood.detect.train import score
from badood.evaluate.metrics import id_accuracy, mean_over_sets, ood_metrics
from badood.pipeline.artefacts import OURS, Images
from badood.pipeline.stages.calibrate import raw

ID_SET = "id"
"""Name of the ID test images among the sets of a table."""

_NOT_SCORES = ("set", "label", "predicted", "energy", "id_confidence", OURS)


@dataclass(frozen=True)
class Judge:
    """A detector, its calibrator and fitted baseline scorers, all as values.

    Attributes:
        detector: ready to infer. calibrator: none where the detector ranks the calibration sets the wrong way round; its anomaly is then
            the raw score.
        scorers: fitted, by the name of their column. calibrate: which raw score is ours.
        compute: device and dtype. progress: told of every step.
    """

    detector: Detector
    calibrator: Calibrator | None
    scorers: Mapping[str, Scorer]
    calibrate: config.Calibrate
    compute: Compute
    progress: Progress

    def see(self, pixels: Tensor) -> Activations:
        """One pass of the detector over (N, 3, H, W) uint8 images."""
        return score(self.detector, pixels, self.compute, progress=self.progress)

    def fitted(self, train: Images, validation: Images, most: int) -> "Judge":
        """The same, its scorers fitted on the ID images that each wants, on at most so many."""
        for name, images in {"train": train, "validation": validation}.items():
            learning = [entry for entry in self.scorers.values() if entry.fitted_on == name]
            if learning:
                rows = evenly(len(images), most)
                seen, labels = self.see(images.pixels[rows]), torch.from_numpy(images.labels[rows])
                for entry in learning:
                    entry.fit(seen, labels)
        return self

    def anomaly(self, name: str, seen: Activations) -> NDArray[np.float32]:
        """(N,) anomaly by a baseline scorer, larger = more OOD."""
        found: NDArray[np.float32] = self.scorers[name].score(seen).float().cpu().numpy()
        return found

    def scores(self, images: Images | ImageSet, size: int = 0) -> pd.DataFrame:
        """A row an image: label, class named by the detector, energy, id_confidence and the anomaly by every method (larger = more OOD).

        id_confidence is not a number where the detector is uncalibrated.

        Args:
            size: of images that were not read yet, at which the run keeps its own, in px.
        """
        return self.scores_of(self.see(images.pixels[:] if isinstance(images, Images) else images.pixels(size)), images)

    def scores_of(self, seen: Activations, images: Images | ImageSet) -> pd.DataFrame:
        """As `scores`, of images that were seen."""
        energy = raw(seen, self.calibrate)
        if not np.isfinite(energy).all():
            raise BadInput(f"{(~np.isfinite(energy)).sum():,} energies of {images.name} are not finite; the detector's weights are broken.")
        confidence = np.full(len(energy), np.nan) if self.calibrator is None else self.calibrator.id_confidence(energy)
        columns = {
            "label": images.labels,
            "predicted": seen.logits.argmax(dim=1).numpy(),
            "energy": energy,
            "id_confidence": confidence,
            OURS: scipy.special.expit(energy) if self.calibrator is None else 1 - confidence,
        }
        # a baseline may be called like a column of ours, as energy is, and must not take its place
        return pd.DataFrame(columns | {name: self.anomaly(name, seen) for name in self.scorers if name not in columns})


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """ID accuracy, and the metrics of our score and of every baseline: mean over the OOD sets, and per set.

    Our metrics are taken on the energy: calibration is monotone, so ranks are the same, and none is lost to rounding.

    Args:
        table: rows of `Judge.scores` with a column `set`; "id" is the ID test set.
    """
    id_rows = table[table["set"] == ID_SET]
    ood = dict(iter(table[table["set"] != ID_SET].groupby("set", sort=False)))

    def of(column: str) -> dict[str, Any]:
        per_set = {str(name): ood_metrics(id_rows[column].to_numpy(), rows[column].to_numpy()) for name, rows in ood.items()}
        return mean_over_sets(per_set) | {"per_set": per_set}

    return of("energy") | {
        "id_accuracy": id_accuracy(id_rows["predicted"], id_rows["label"]),
        "scorers": {name: of(name) for name in table.columns if name not in _NOT_SCORES},
    }
