"""Every calibrator on the same scores, each judged on images that it was not fitted on."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from badood.calibrate.base import Calibrator, calibrator
from badood.core.errors import BadInput

RAW = "raw"
"""What the detector says before calibration, among the calibrators."""


def judged_apart(log_odds: NDArray[np.float64], is_id: NDArray[np.bool_]) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """id_confidence by every calibrator that can be fitted, and before calibration.

    Args:
        log_odds: (N,) of the raw score; images of a set stand together, so that every second row takes half of each. is_id: (N,).

    Returns:
        By name the confidences of every second image, each calibrator fitted on the others; and which of them are ID.
    """
    fitting = np.arange(len(log_odds)) % 2 == 0
    judged = log_odds[~fitting]
    confidence = {name: fitted.id_confidence(judged) for name, fitted in fitted_each(log_odds[fitting], is_id[fitting])}
    return {RAW: raw_confidence(judged), **confidence}, is_id[~fitting]


def fitted_each(log_odds: NDArray[np.float64], is_id: NDArray[np.bool_]) -> Iterator[tuple[str, Calibrator]]:
    """Every calibrator by name, fitted; those that cannot be are left out: reversed order, nothing told apart, too few images."""
    for name in calibrator:
        try:
            yield name, calibrator.make(name).fit(log_odds, is_id)
        except BadInput:  # the others are still worth seeing
            continue


def raw_confidence(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 - S with S = sigmoid(log-odds), the paper's eq. 6."""
    raw: NDArray[np.float64] = expit(-log_odds)
    return raw
