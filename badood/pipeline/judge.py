"""What a detector does on images: our score and every baseline scorer, from one pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray
from torch import Tensor

from badood.calibrate import Calibrator
from badood.core.errors import BadInput
from badood.core.rows import Rows
from badood.data.record import ImageSet
from badood.detect.activations import Activations
from badood.detect.scorers import Scorer
from badood.evaluate.metrics import id_accuracy, mean_over_sets, ood_metrics
from badood.pipeline.artefacts import OURS, Images
from badood.pipeline.raw_score import CHUNK, RawScore, See, anomaly, fit_scorers

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

    def scores(self, images: Images | ImageSet, size: int = 0) -> pd.DataFrame:
        """A row an image: label, class named by the detector, energy, log-odds of the raw score, id_confidence and the anomaly by every
        method (larger = more OOD).

        id_confidence is not a number where the detector is uncalibrated.

        Args:
            size: of images that were not read yet, at which the run keeps its own, in px.
        """
        pixels = images.pixels if isinstance(images, Images) else images.pixels(size)
        table = in_parts(partial(self._scores, images.name), self.see, pixels)
        table.insert(0, "label", images.labels)
        return table

    def _scores(self, name: str, seen: Activations) -> dict[str, NDArray[Any]]:
        """The columns of `scores` but the label, of images of this name."""
        log_odds = self.raw_score.log_odds(seen)
        if not np.isfinite(log_odds).all():
            raise BadInput(f"{(~np.isfinite(log_odds)).sum():,} raw scores of {name} are not finite; the detector's weights are broken.")
        confidence = np.full(len(log_odds), np.nan) if self.calibrator is None else self.calibrator.id_confidence(log_odds)
        columns = {
            "predicted": seen.logits.argmax(dim=1).numpy(),
            "energy": np.asarray(seen.energy, dtype=np.float64),
            "log_odds": log_odds,
            "id_confidence": confidence,
            OURS: scipy.special.expit(log_odds) if self.calibrator is None else 1 - confidence,
        }
        # a baseline may be called like a column of ours, as energy is, and must not take its place
        return columns | baselines({name: scorer for name, scorer in self.scorers.items() if name not in columns}, seen)


def baselines(scorers: Mapping[str, Scorer], seen: Activations) -> dict[str, NDArray[np.float32]]:
    """(N,) anomaly by each fitted scorer, larger = more OOD; all from the pass that was made."""
    return {name: anomaly(scorer, seen).astype(np.float32) for name, scorer in scorers.items()}


def in_parts(told: Callable[[Activations], Mapping[str, NDArray[Any]]], see: See, pixels: Rows | Tensor) -> pd.DataFrame:
    """What `told` says of images, a row an image, from one pass of the detector. Memory for what it saw does not grow with the images.

    Args:
        told: activations of n images -> columns of length n. pixels: (N, 3, H, W) uint8; a tensor is seen at once.
    """
    parts = pixels.parts(CHUNK) if isinstance(pixels, Rows) else (pixels,)
    return pd.concat([pd.DataFrame(told(see(part))) for part in parts], ignore_index=True)


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """ID accuracy, and the metrics of our score and of every baseline: mean over the OOD sets, and per set.

    Our metrics are taken on the log-odds: calibration is monotone, so ranks are the same, and none is lost to rounding.

    Args:
        table: rows of `Judge.scores` with a column `set`; "id" is the ID test set.
    """
    id_rows = table[table["set"] == ID_SET]
    return scored_by(table, "log_odds") | {
        "id_accuracy": id_accuracy(id_rows["predicted"], id_rows["label"]),
        "scorers": {name: scored_by(table, name) for name in table.columns if name not in _NOT_SCORES},
    }


def scored_by(table: pd.DataFrame, column: str) -> dict[str, Any]:
    """The metrics of one score: mean over the OOD sets, and `per_set`.

    Args:
        table: as for `summary`. column: of the score, larger = more OOD.
    """
    known = table.loc[table["set"] == ID_SET, column].to_numpy()
    ood = table[table["set"] != ID_SET].groupby("set", sort=False)[column]
    per_set = {str(name): ood_metrics(known, scores.to_numpy()) for name, scores in ood}
    return mean_over_sets(per_set) | {"per_set": per_set}
