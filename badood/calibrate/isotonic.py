"""Isotonic regression of the label on the raw score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from badood.calibrate.base import Calibrator, Floats, calibrator


@calibrator("isotonic")
@dataclass
class Isotonic(Calibrator):
    """The falling step map that fits best. Learns log_odds_ and confidences_, its corners. Source: Zadrozny & Elkan 2002.

    Its flat steps merge ranks, so a band cuts it at steps only.
    """

    def _learn(self, log_odds: Floats, is_id: NDArray[np.bool_]) -> None:
        fitted = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip").fit(log_odds, is_id)
        self.log_odds_, self.confidences_ = fitted.X_thresholds_, fitted.y_thresholds_

    def _map(self, log_odds: Floats) -> Floats:
        return np.interp(log_odds, self.log_odds_, self.confidences_)
