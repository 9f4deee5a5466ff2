"""Beta calibration, eq. 7 of the paper."""

import warnings
from dataclasses import dataclass

import numpy as np
from betacal import BetaCalibration
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from badood.calibrate.base import Calibrator, Floats, calibrator
from badood.calibrate.logistic import ordinary, regression

_WEAKEST = 99999999999
"""betacal's C: next to no regularisation."""


@calibrator("beta")
@dataclass
class Beta(Calibrator):
    """id_confidence = sigmoid(c + a ln s - b ln(1 - s)) with s = 1 - S = sigmoid(-E) and a, b >= 0.

    Fitted by the package betacal ("abm"), where scores are too far out or too narrow for it by the same regression on exact
    logarithms, and evaluated in log-space. Learns a_, b_ (slopes) and c_ (intercept).
    Source: Kull et al. 2017; Bad-OOD eq. 7, 8.
    """

    def _learn(self, log_odds: Floats, is_id: NDArray[np.bool_]) -> None:
        with warnings.catch_warnings():  # betacal's fit silences warnings for the whole process
            warnings.simplefilter("ignore")
            self.a_, self.b_, self.c_ = (_by_betacal if ordinary(log_odds) else _by_logarithms)(log_odds, is_id)

    def _rising(self) -> str:
        # betacal drops a negative slope and fits the other one again, without a bound
        return f"a = {self.a_:.3g}, b = {self.b_:.3g}, both must be >= 0" if min(self.a_, self.b_) < 0 else ""

    def _map(self, log_odds: Floats) -> Floats:
        confidence: Floats = expit(self.c_ + self.a_ * log_expit(-log_odds) - self.b_ * log_expit(log_odds))
        return confidence


def _by_betacal(log_odds: Floats, is_id: NDArray[np.bool_]) -> tuple[float, float, float]:
    """a, b and c as the package fits them."""
    fitted = BetaCalibration("abm").fit(expit(-log_odds), is_id.astype(int)).calibrator_
    return float(fitted.map_[0]), float(fitted.map_[1]), float(fitted.lr_.intercept_[0])


def _by_logarithms(log_odds: Floats, is_id: NDArray[np.bool_]) -> tuple[float, float, float]:
    """a, b and c by the package's rule on ln s and -ln(1 - s) that never saturate: a negative slope is dropped and the other one fitted again."""
    columns = np.column_stack([log_expit(-log_odds), -log_expit(log_odds)])
    (a, b), c = regression(columns, is_id, _WEAKEST)
    if a < 0:
        (b,), c = regression(columns[:, 1:], is_id, _WEAKEST)
        return 0.0, b, c
    if b < 0:
        (a,), c = regression(columns[:, :1], is_id, _WEAKEST)
        return a, 0.0, c
    return a, b, c
