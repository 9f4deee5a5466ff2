"""How far a forecast ranks things as they turn out: of harm against retrains, of previews against full retrains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import pearsonr, rankdata

_LEAST = 4
"""Pairs below which there is no interval."""


@dataclass(frozen=True)
class Agreement:
    """A rank correlation and what it is worth.

    Attributes:
        spearman: in [-1, 1]; 0 where one side does not vary. lo, hi: its 95 % interval (Fisher); -1 and 1 where it says nothing.
        count: pairs.
    """

    spearman: float
    lo: float
    hi: float
    count: int

    @property
    def trusted(self) -> bool:
        """Whether the forecast ranks better than chance: the interval lies above 0."""
        return self.lo > 0

    def __str__(self) -> str:
        return f"{self.spearman:.2f} ({self.lo:.2f} to {self.hi:.2f}, n = {self.count})"


def agreement(foretold: ArrayLike, real: ArrayLike) -> Agreement:
    """Spearman's rank correlation of (n,) forecasts and (n,) outcomes, with its interval."""
    one, other = rankdata(np.asarray(foretold)), rankdata(np.asarray(real))
    if len(one) < _LEAST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return Agreement(0.0, -1.0, 1.0, len(one))
    found = pearsonr(one, other)
    interval = found.confidence_interval()
    return Agreement(float(found.statistic), float(interval.low), float(interval.high), len(one))
