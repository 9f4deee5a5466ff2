"""What a calibrator is, and the registry of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from badood.core.errors import BadInput, ReversedOrder
from badood.core.registry import Registry

Floats = NDArray[np.float64]


class Calibrator(ABC):
    """A map from raw anomaly to id_confidence that never rises with the anomaly. What `fit` learns ends in `_`."""

    def fit(self, energy: ArrayLike, is_id: ArrayLike) -> Self:
        """Learn the map from held-out images.

        Args:
            energy: (N,) log-odds of the raw score S, so S = sigmoid(energy), eq. 6; in nats, larger looks more OOD. The
                score itself is never taken: at large |E| its rounding merges ranks.
            is_id: (N,) bool, whether the image is ID.

        Raises:
            BadInput: a score is not finite, all are equal, or one side is missing.
            ReversedOrder: ID images look more OOD than OOD images.
        """
        known = np.asarray(is_id, dtype=bool)
        raw = _finite(energy)
        if raw.shape != known.shape:
            raise BadInput(f"calibration has {len(raw):,} scores and {len(known):,} labels; it needs one label a score.")
        if known.all() or not known.any():
            raise BadInput(
                f"the calibration set has {known.sum():,} ID and {(~known).sum():,} OOD images and needs both: "
                "ID comes from data.validation_share, OOD from data.auxiliary."
            )
        if raw.min() == raw.max():
            raise BadInput(f"all {len(raw):,} calibration scores are {raw[0]:g}; nothing can be calibrated. Train the detector longer.")
        self._learn(raw, known)
        return self

    @abstractmethod
    def _learn(self, energy: Floats, is_id: NDArray[np.bool_]) -> None:
        """Set the attributes that end in `_` from checked data."""

    def id_confidence(self, energy: ArrayLike) -> Floats:
        """Calibrated P(ID | x).

        Args:
            energy: (N,) as in `fit`.

        Returns:
            (N,) in [0, 1]: 1 = looks ID, 0 = far away.

        Raises:
            BadInput: a score is not finite.
        """
        return self._map(_finite(energy))

    @abstractmethod
    def _map(self, energy: Floats) -> Floats:
        """The learnt map."""

    def to_dict(self) -> dict[str, Any]:
        """The method's name and what was learnt, as JSON takes it."""
        name = next(name for name, entry in calibrator.items() if entry is type(self))
        learnt = {key: np.asarray(value).tolist() for key, value in vars(self).items() if key.endswith("_")}
        return {"method": name} | learnt

    def restore(self, content: Mapping[str, Any]) -> Self:
        """Take over what `to_dict` wrote."""
        for key, value in content.items():
            if key.endswith("_"):
                setattr(self, key, np.asarray(value, dtype=np.float64) if isinstance(value, list) else float(value))
        return self


def _finite(energy: ArrayLike) -> Floats:
    raw = np.asarray(energy, dtype=np.float64)
    if not np.isfinite(raw).all():
        raise BadInput(
            f"{(~np.isfinite(raw)).sum():,} of {raw.size:,} scores to calibrate are not finite; the detector has diverged, train it again."
        )
    return raw


def reversed_order(name: str, slopes: str) -> ReversedOrder:
    """The error of a fit whose map would rise with the anomaly."""
    return ReversedOrder(
        f"{name} calibration is not monotone ({slopes}): ID validation images look more OOD than the auxiliary OOD images. "
        "Check data.auxiliary, or train the detector longer; detector.phi = monotone keeps the order."
    )


calibrator: Registry[type[Calibrator]] = Registry("calibrator", "badood.calibrate")
