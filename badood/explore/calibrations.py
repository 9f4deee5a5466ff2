"""What every calibrator would make of a run's scores, on images it was not fitted on."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from badood.calibrate import Calibrator, calibrator, reliability_table
from badood.core.errors import BadInput


def compare_calibrators(reference: pd.DataFrame, bins: int = 10) -> dict[str, pd.DataFrame]:
    """Reliability before calibration ("raw") and after every registered calibrator.

    Each is fitted on every second held-out image and judged on the others.

    Args:
        reference: `Finished.reference`: set ("validation" = ID, "auxiliary" = OOD) and log_odds.

    Returns:
        By calibrator a `calibrate.reliability_table`; raw confidence is 1 - S with S = sigmoid(E), the paper's eq. 6.
        A calibrator that cannot be fitted is left out: the scores rank the wrong way round, or it tells nothing apart, or there are too few images.
    """
    log_odds, is_id = reference["log_odds"].to_numpy(np.float64), (reference["set"] == "validation").to_numpy()
    # images of a set stand together, so every second row takes half of each
    fitting = np.arange(len(log_odds)) % 2 == 0
    confidence = {"raw": _raw(log_odds[~fitting])}
    for name, fitted in _fitted(log_odds[fitting], is_id[fitting]):
        confidence[name] = fitted.id_confidence(log_odds[~fitting])
    return {name: reliability_table(values, is_id[~fitting], bins) for name, values in confidence.items()}


def fitted_calibrators(reference: pd.DataFrame) -> dict[str, Calibrator]:
    """Every registered calibrator fitted on all held-out images; those that cannot be fitted are left out.

    Args:
        reference: as for `compare_calibrators`.
    """
    log_odds, is_id = reference["log_odds"].to_numpy(np.float64), (reference["set"] == "validation").to_numpy()
    return dict(_fitted(log_odds, is_id))


def calibration_curves(fitted: dict[str, Calibrator], log_odds: NDArray[np.floating], points: int = 200) -> pd.DataFrame:
    """The maps of several calibrators over the range of `log_odds`.

    Returns:
        log_odds, and a column of id_confidence by calibrator; "raw" is 1 - S.
    """
    grid = np.linspace(log_odds.min(), log_odds.max(), points)
    maps = {name: entry.id_confidence(grid) for name, entry in fitted.items()}
    return pd.DataFrame({"log_odds": grid, "raw": _raw(grid), **maps})


def _raw(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 - S with S = sigmoid(log-odds): what the detector says before calibration."""
    raw: NDArray[np.float64] = expit(-log_odds)
    return raw


def _fitted(log_odds: NDArray[np.float64], is_id: NDArray[np.bool_]) -> Iterator[tuple[str, Calibrator]]:
    for name in calibrator:
        try:
            yield name, calibrator.make(name).fit(log_odds, is_id)
        except BadInput:  # the others are still worth seeing
            continue
