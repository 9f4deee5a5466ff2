"""How far id_confidence is from the truth: reliability diagram, expected calibration error, Brier score."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from badood.core.errors import BadInput


def reliability_table(id_confidence: ArrayLike, is_id: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """The reliability diagram in bins of equal width.

    Args:
        id_confidence: (N,) in [0, 1]. is_id: (N,) bool.
        bins: number of bins over [0, 1]; the last one includes 1.

    Returns:
        A row a bin: lo, hi, count, mean_confidence, id_share (both NaN where the bin is empty).

    Raises:
        BadInput: a confidence lies outside [0, 1].
    """
    confidence, labels = np.asarray(id_confidence, dtype=np.float64), np.asarray(is_id, dtype=bool)
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise BadInput("a reliability diagram takes confidences in [0, 1]; calibrate raw scores first.")
    edges = np.linspace(0, 1, bins + 1)
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, weights=confidence, minlength=bins) / count
        share = np.bincount(at, weights=labels, minlength=bins) / count
    return pd.DataFrame({"lo": edges[:-1], "hi": edges[1:], "count": count, "mean_confidence": mean, "id_share": share})


def calibration_error(table: pd.DataFrame) -> float:
    """Expected calibration error of a `reliability_table`, in [0, 1]: the mean gap of its bins, weighted by their counts."""
    gap = (table["mean_confidence"] - table["id_share"]).abs().fillna(0.0)
    return float((gap * table["count"]).sum() / table["count"].sum())


def brier_score(id_confidence: ArrayLike, is_id: ArrayLike) -> float:
    """Mean squared gap of (N,) confidences from the truth, in [0, 1]; lower is better. Source: Brier 1950."""
    return float(((np.asarray(id_confidence, dtype=np.float64) - np.asarray(is_id, dtype=np.float64)) ** 2).mean())
