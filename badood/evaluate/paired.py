"""Means and paired differences over seeds, with intervals: what a comparison of two ways is worth. DESIGN item 10."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, ttest_1samp


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; not numbers where there is nothing to take it of.

    Attributes:
        mean, lo, hi: of a share, a metric, or a difference. count: values.
    """

    mean: float
    lo: float
    hi: float
    count: int

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lo > 0 or self.hi < 0


def mean_of(values: ArrayLike) -> Interval:
    """Student's interval of the mean of (n,) values; those that are not numbers are left out. One value has no interval."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(known.mean())
    if len(known) == 1 or np.ptp(known) == 0:
        ends = (mean, mean) if len(known) > 1 else (np.nan, np.nan)
        return Interval(mean, *ends, len(known))
    interval = ttest_1samp(known, 0.0).confidence_interval()
    return Interval(mean, float(interval.low), float(interval.high), len(known))


def share_of(count: int, total: int) -> Interval:
    """Wilson's interval of a share."""
    if not total:
        return Interval(np.nan, np.nan, np.nan, 0)
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return Interval(count / total, float(interval.low), float(interval.high), total)
