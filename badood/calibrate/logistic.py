"""Logistic regression of the label on functions of the score, at any place and scale of the score."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from badood.calibrate.base import Floats

FARTHEST = 30.0
"""Nats. betacal takes s = sigmoid(-E): beyond this |E| rounding moves its ln(1 - s) by 1e-3, and beyond 36 it clips s."""

NARROWEST = 0.1
"""Standard deviation of scores, in nats, below which a solver takes them for constant."""


def ordinary(log_odds: Floats) -> bool:
    """Whether scores lie where the plain regressions converge and nothing saturates, as energies of most detectors do."""
    return bool(np.abs(log_odds).max() <= FARTHEST and log_odds.std() >= NARROWEST)


def regression(columns: Floats, is_id: NDArray[np.bool_], C: float) -> tuple[list[float], float]:
    """Slopes and intercept; the columns are centred and brought to one scale, which changes no result but lets the solver arrive.

    Args:
        columns: (N, K). is_id: (N,). C: inverse strength of the regularisation, as scikit-learn's on the columns as they are given.
    """
    centre = columns.mean(axis=0)
    scale = np.abs(columns - centre).max()
    fitted = LogisticRegression(C=C * scale**2, max_iter=1000).fit((columns - centre) / scale, is_id)
    slopes = fitted.coef_[0] / scale
    return slopes.tolist(), float(fitted.intercept_[0] - slopes @ centre)
