"""The raw score that is calibrated: the energy, as in the paper, or what any other scorer says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from badood.core.rows import Rows, evenly
from badood.detect.activations import Activations
from badood.detect.scorers import Scorer, named
from badood.pipeline.artefacts import Images

See = Callable[[Rows | Tensor], Activations]
"""One pass of a detector over N images of (3, H, W) uint8."""

CHUNK = 16_384
"""Images whose features are in memory at a time."""


@dataclass(frozen=True)
class RawScore:
    """A fitted scorer, and where held-out ID images lie on it.

    Attributes:
        scorer: fitted. centre, spread: mean and standard deviation of its anomaly of ID validation images; 0 and 1 of a scorer whose
            anomaly is a log-odds by itself.
    """

    scorer: Scorer
    centre: float = 0.0
    spread: float = 1.0

    def log_odds(self, seen: Activations) -> NDArray[np.float64]:
        """(N,) log-odds of the raw score S of eq. 6, so that S = sigmoid(log_odds); larger looks more OOD.

        The energy in nats; of a scorer in units of its own, how many deviations an image lies beyond ID validation images.
        """
        return (anomaly(self.scorer, seen) - self.centre) / self.spread


def fit_raw_score(entry: str | Mapping[str, Any], see: See, train: Images, validation: Images, most: int) -> RawScore:
    """The raw score of the settings under a detector. It learns from ID training images alone, since the validation images calibrate it.

    Args:
        entry: as `calibrate.score`. most: ID images that a scorer is fitted on.
    """
    made = named(entry)[1]
    fit_scorers([made], see, train, None, most)
    if made.log_odds:
        return RawScore(made)
    held_out = np.concatenate([anomaly(made, see(part)) for part in validation.pixels.parts(CHUNK)])
    return RawScore(made, float(held_out.mean()), float(held_out.std()) or 1.0)


def fit_scorers(scorers: Iterable[Scorer], see: See, train: Images, validation: Images | None, most: int) -> None:
    """Fit each scorer on the ID images that it wants, on at most so many.

    Args:
        validation: none = scorers that want these learn from training images too: where validation images are to judge or to calibrate them,
            a scorer that saw them would look better than it is.
    """
    learning: dict[str, list[Scorer]] = {"train": [], "validation": [], "nothing": []}
    for entry in scorers:
        learning["train" if validation is None and entry.fitted_on == "validation" else entry.fitted_on].append(entry)
    for name, images in {"train": train, "validation": validation}.items():
        if images is not None and learning[name]:
            rows = evenly(len(images), most)
            seen, labels = see(images.pixels.take(rows)), torch.from_numpy(images.labels[rows])
            for entry in learning[name]:
                entry.fit(seen, labels)


def anomaly(scorer: Scorer, seen: Activations) -> NDArray[np.float64]:
    """(N,) what a fitted scorer says; larger = more OOD."""
    return np.asarray(scorer.score(seen).detach().cpu(), dtype=np.float64)
