"""What every calibrator would make of a run's scores, on images it was not fitted on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.calibrate import Calibrator, reliability_table
from badood.calibrate.compared import fitted_each, judged_apart, raw_confidence


def compare_calibrators(reference: pd.DataFrame, bins: int = 10) -> dict[str, pd.DataFrame]:
    """Reliability before calibration ("raw") and after every registered calibrator.

    Each is fitted on every second held-out image and judged on the others.

    Args:
        reference: `Finished.reference`: set ("validation" = ID, "auxiliary" = OOD) and log_odds.

    Returns:
        By calibrator a `calibrate.reliability_table`; raw confidence is 1 - S with S = sigmoid(E), the paper's eq. 6.
        A calibrator that cannot be fitted is left out: the scores rank the wrong way round, or it tells nothing apart, or there are too few images.
    """
    confidence, is_id = judged_apart(*_held_out(reference))
    return {name: reliability_table(values, is_id, bins) for name, values in confidence.items()}


def fitted_calibrators(reference: pd.DataFrame) -> dict[str, Calibrator]:
    """Every registered calibrator fitted on all held-out images; those that cannot be fitted are left out.

    Args:
        reference: as for `compare_calibrators`.
    """
    return dict(fitted_each(*_held_out(reference)))


def calibration_curves(fitted: dict[str, Calibrator], log_odds: NDArray[np.floating], points: int = 200) -> pd.DataFrame:
    """The maps of several calibrators over the range of `log_odds`.

    Returns:
        log_odds, and a column of id_confidence by calibrator; "raw" is 1 - S.
    """
    grid = np.linspace(log_odds.min(), log_odds.max(), points)
    maps = {name: entry.id_confidence(grid) for name, entry in fitted.items()}
    return pd.DataFrame({"log_odds": grid, "raw": raw_confidence(grid), **maps})


def _held_out(reference: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log-odds of held-out images, and which are ID."""
    return reference["log_odds"].to_numpy(np.float64), (reference["set"] == "validation").to_numpy()
