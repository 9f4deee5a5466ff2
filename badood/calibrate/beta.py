"""Beta calibration, eq. 7 of the paper."""

import warnings
from dataclasses import dataclass

import numpy as np
from betacal import BetaCalibration
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from badood.calibrate.base import Calibrator, Floats, calibrator, reversed_order


@calibrator("beta")
@dataclass
class Beta(Calibrator):
    """id_confidence = sigmoid(c + a ln s - b ln(1 - s)) with s = 1 - S = sigmoid(-E) and a, b >= 0.

    Fitted by the package betacal ("abm") and evaluated in log-space. Learns a_, b_ (slopes) and c_ (intercept).
    Source: Kull et al. 2017; Bad-OOD eq. 7, 8.
    """

    def _learn(self, energy: Floats, is_id: NDArray[np.bool_]) -> None:
        with warnings.catch_warnings():  # betacal's fit silences warnings for the whole process
            fitted = BetaCalibration("abm").fit(expit(-energy), is_id.astype(int)).calibrator_
        self.a_, self.b_ = float(fitted.map_[0]), float(fitted.map_[1])
        self.c_ = float(fitted.lr_.intercept_[0])
        # betacal drops a negative slope and fits the other one again, without a bound
        if self.a_ < 0 or self.b_ < 0:
            raise reversed_order("beta", f"a = {self.a_:.3g}, b = {self.b_:.3g}, both must be >= 0")

    def _map(self, energy: Floats) -> Floats:
        confidence: Floats = expit(self.c_ + self.a_ * log_expit(-energy) - self.b_ * log_expit(energy))
        return confidence
