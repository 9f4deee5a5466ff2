"""Temperature scaling of the raw score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from badood.calibrate.base import Calibrator, Floats, calibrator


@calibrator("temperature")
@dataclass
class Temperature(Calibrator):
    """id_confidence = sigmoid(-E / T), T > 0. Learns temperature_. Source: Guo et al. 2017.

    One number cannot move the score 0.5 away from E = 0; where all energies are negative, beta and Platt fit better.
    """

    def _learn(self, log_odds: Floats, is_id: NDArray[np.bool_]) -> None:
        margin = np.where(is_id, log_odds, -log_odds)

        def likelihood(log_temperature: float) -> float:
            return float(np.logaddexp(0, margin / np.exp(log_temperature)).mean())

        self.temperature_ = float(np.exp(minimize_scalar(likelihood, bounds=(np.log(1e-3), np.log(1e4)), method="bounded").x))

    def _map(self, log_odds: Floats) -> Floats:
        confidence: Floats = expit(-log_odds / self.temperature_)
        return confidence
