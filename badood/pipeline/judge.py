"""What a detector does on images: our score and every baseline scorer, from one pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray

from badood.calibrate import Calibrator
from badood.core.errors import BadInput
from badood.data.record import ImageSet
from badood.detect.activations import Activations
from badood.detect.scorers import Scorer
from badood.evaluate.metrics import id_accuracy, mean_over_sets, ood_metrics
from badood.pipeline.artefacts import OURS, Images
from badood.pipeline.raw_score import RawScore, See, anomaly, fit_scorers

ID_SET = "id"
"""Name of the ID test images among the sets of a table."""

_NOT_SCORES = ("set", "label", "predicted", "energy", "log_odds", "id_confidence", OURS)


@dataclass(frozen=True)
class Judge:
    """A detector, its calibrator and fitted baseline scorers, all as values.

    Attributes:
        see: one pass of the detector over images. calibrator: none where the detector ranks the calibration sets the wrong way round; its
            anomaly is then the raw score.
        raw_score: what is calibrated. scorers: fitted, by the name of their column.
    """

    see: See
    calibrator: Calibrator | None
    raw_score: RawScore
    scorers: Mapping[str, Scorer]

    def fitted(self, train: Images, validation: Images, most: int) -> "Judge":
        """The same, its scorers fitted on the ID images that each wants, on at most so many."""
        fit_scorers(self.scorers.values(), self.see, train, validation, most)
        return self

    def anomaly(self, name: str, seen: Activations) -> NDArray[np.float32]:
        """(N,) anomaly by a baseline scorer, larger = more OOD."""
        return anomaly(self.scorers[name], seen).astype(np.float32)

    def scores(self, images: Images | ImageSet, size: int = 0) -> pd.DataFrame:
        """A row an image: label, class named by the detector, energy, log-odds of the raw score, id_confidence and the anomaly by every
        method (larger = more OOD).

        id_confidence is not a number where the detector is uncalibrated.

        Args:
            size: of images that were not read yet, at which the run keeps its own, in px.
        """
        return self.scores_of(self.see(images.pixels if isinstance(images, Images) else images.pixels(size)), images)

    def scores_of(self, seen: Activations, images: Images | ImageSet) -> pd.DataFrame:
        """As `scores`, of images that were seen."""
        log_odds = self.raw_score.log_odds(seen)
        if not np.isfinite(log_odds).all():
            raise BadInput(
                f"{(~np.isfinite(log_odds)).sum():,} raw scores of {images.name} are not finite; the detector's weights are broken."
            )
        confidence = np.full(len(log_odds), np.nan) if self.calibrator is None else self.calibrator.id_confidence(log_odds)
        columns = {
            "label": images.labels,
            "predicted": seen.logits.argmax(dim=1).numpy(),
            "energy": np.asarray(seen.energy, dtype=np.float64),
            "log_odds": log_odds,
            "id_confidence": confidence,
            OURS: scipy.special.expit(log_odds) if self.calibrator is None else 1 - confidence,
        }
        # a baseline may be called like a column of ours, as energy is, and must not take its place
        return pd.DataFrame(columns | {name: self.anomaly(name, seen) for name in self.scorers if name not in columns})


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """ID accuracy, and the metrics of our score and of every baseline: mean over the OOD sets, and per set.

    Our metrics are taken on the log-odds: calibration is monotone, so ranks are the same, and none is lost to rounding.

    Args:
        table: rows of `Judge.scores` with a column `set`; "id" is the ID test set.
    """
    id_rows = table[table["set"] == ID_SET]
    ood = dict(iter(table[table["set"] != ID_SET].groupby("set", sort=False)))

    def of(column: str) -> dict[str, Any]:
        per_set = {str(name): ood_metrics(id_rows[column].to_numpy(), rows[column].to_numpy()) for name, rows in ood.items()}
        return mean_over_sets(per_set) | {"per_set": per_set}

    return of("log_odds") | {
        "id_accuracy": id_accuracy(id_rows["predicted"], id_rows["label"]),
        "scorers": {name: of(name) for name in table.columns if name not in _NOT_SCORES},
    }
