"""What a calibrator is, and the registry of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from badood.core.errors import BadInput, ReversedOrder, Uncalibrated
from badood.core.registry import Registry

Floats = NDArray[np.float64]

LEAST_SPREAD = 1e-3
"""Of id_confidence over the calibration images: with less, no band tells any two of them apart."""


class Calibrator(ABC):
    """A map from raw anomaly to id_confidence that never rises with the anomaly. What `fit` learns ends in `_`."""

    def fit(self, log_odds: ArrayLike, is_id: ArrayLike) -> Self:
        """Learn the map from held-out images.

        Args:
            log_odds: (N,) log-odds of the raw score S, so S = sigmoid(log_odds), eq. 6; in nats, larger looks more OOD. The
                score itself is never taken: at large |E| its rounding merges ranks.
            is_id: (N,) bool, whether the image is ID.

        Raises:
            BadInput: a score is not finite, or one side is missing.
            Uncalibrated: all scores are equal, or the fitted map gives all of them the same confidence.
            ReversedOrder: ID images look more OOD than OOD images; also an Uncalibrated.
        """
        labels = np.asarray(is_id, dtype=bool)
        raw = _finite(log_odds)
        if raw.shape != labels.shape:
            raise BadInput(f"calibration has {len(raw):,} scores and {len(labels):,} labels; it needs one label a score.")
        if labels.all() or not labels.any():
            raise BadInput(
                f"the calibration set has {labels.sum():,} ID and {(~labels).sum():,} OOD images and needs both: "
                "ID comes from data.validation_share, OOD from data.auxiliary."
            )
        if raw.min() == raw.max():
            raise Uncalibrated(f"all {len(raw):,} calibration scores are {raw[0]:g}; nothing can be calibrated. Train the detector longer.")
        auroc = float(roc_auc_score(~labels, raw))
        if auroc < 0.5 - 1e-9:  # ties give 0.5 but for the last digit
            raise reversed_order(self._name, f"AUROC {auroc:.3f}, chance is 0.5")
        self._learn(raw, labels)
        spread = float(np.ptp(self._map(raw)))
        if not spread >= LEAST_SPREAD:
            raise Uncalibrated(
                f"{self._name} calibration gives all {len(raw):,} calibration images nearly the same id_confidence (spread {spread:.2g}, "
                f"at scores of {raw.min():.4g} to {raw.max():.4g} and AUROC {auroc:.3f}), so that no band tells them apart. "
                "Where the AUROC is good take calibrate.method = beta or platt, which can move the middle; "
                "else train the detector longer, or with outliers farther from the ID images."
            )
        if evidence := self._rising():
            raise reversed_order(self._name, evidence)
        return self

    @property
    def _name(self) -> str:
        return next((name for name, entry in calibrator.items() if entry is type(self)), type(self).__name__)

    @abstractmethod
    def _learn(self, log_odds: Floats, is_id: NDArray[np.bool_]) -> None:
        """Set the attributes that end in `_` from checked data."""

    def _rising(self) -> str:
        """By what the learnt map rises with the anomaly somewhere; empty where it does not."""
        return ""

    def id_confidence(self, log_odds: ArrayLike) -> Floats:
        """Calibrated P(ID | x).

        Args:
            log_odds: (N,) as in `fit`.

        Returns:
            (N,) in [0, 1]: 1 = looks ID, 0 = far away.

        Raises:
            BadInput: a score is not finite.
        """
        return self._map(_finite(log_odds))

    @abstractmethod
    def _map(self, log_odds: Floats) -> Floats:
        """The learnt map."""

    def to_dict(self) -> dict[str, Any]:
        """The method's name and what was learnt, as JSON takes it."""
        learnt = {key: np.asarray(value).tolist() for key, value in vars(self).items() if key.endswith("_")}
        return {"method": self._name} | learnt

    def restore(self, content: Mapping[str, Any]) -> Self:
        """Take over what `to_dict` wrote."""
        for key, value in content.items():
            if key.endswith("_"):
                setattr(self, key, np.asarray(value, dtype=np.float64) if isinstance(value, list) else float(value))
        return self


def _finite(log_odds: ArrayLike) -> Floats:
    raw = np.asarray(log_odds, dtype=np.float64)
    if not np.isfinite(raw).all():
        raise BadInput(
            f"{(~np.isfinite(raw)).sum():,} of {raw.size:,} scores to calibrate are not finite; the detector has diverged, train it again."
        )
    return raw


def reversed_order(name: str, evidence: str) -> ReversedOrder:
    """The error of a fit whose map would rise with the anomaly.

    Args:
        evidence: AUROC or slopes, with what they would have to be.
    """
    return ReversedOrder(
        f"{name} calibration is not monotone: ID validation images look more OOD than the auxiliary OOD images ({evidence}). "
        "With detector.phi = monotone, the default, the likely reason is data.auxiliary: its images show ID classes, or are plainer than the "
        "ID images; take others, far from every ID class. With detector.phi = mlp the detector may also have learnt the order backwards, "
        "which monotone prevents."
    )


calibrator: Registry[type[Calibrator]] = Registry("calibrator", "badood.calibrate")
