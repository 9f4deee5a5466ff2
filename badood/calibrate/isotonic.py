"""Isotonic regression of the label on the raw score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from badood.calibrate.base import Calibrator, Floats, calibrator


@calibrator("isotonic")
@dataclass
class Isotonic(Calibrator):
    """The falling step map that fits best. Learns energies_ and confidences_, its corners. Source: Zadrozny & Elkan 2002.

    Its flat steps merge ranks, so a band cuts it at steps only.
    """

    def _learn(self, energy: Floats, is_id: NDArray[np.bool_]) -> None:
        fitted = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip").fit(energy, is_id)
        self.energies_, self.confidences_ = fitted.X_thresholds_, fitted.y_thresholds_

    def _map(self, energy: Floats) -> Floats:
        return np.interp(energy, self.energies_, self.confidences_)
