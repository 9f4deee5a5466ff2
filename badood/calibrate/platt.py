"""Platt scaling of the raw score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from badood.calibrate.base import Calibrator, Floats, calibrator
from badood.calibrate.logistic import ordinary, regression


@calibrator("platt")
@dataclass
class Platt(Calibrator):
    """id_confidence = sigmoid(c - a E), a >= 0. Learns a_ and c_. Source: Platt 1999."""

    def _learn(self, log_odds: Floats, is_id: NDArray[np.bool_]) -> None:
        if ordinary(log_odds):
            fitted = LogisticRegression(C=np.inf).fit(-log_odds[:, None], is_id)
            self.a_, self.c_ = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        else:
            (self.a_,), self.c_ = regression(-log_odds[:, None], is_id, np.inf)

    def _rising(self) -> str:
        return f"a = {self.a_:.3g}, which must be >= 0" if self.a_ < 0 else ""

    def _map(self, log_odds: Floats) -> Floats:
        confidence: Floats = expit(self.c_ - self.a_ * log_odds)
        return confidence
