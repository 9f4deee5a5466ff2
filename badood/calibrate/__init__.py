"""Step 6: anomaly -> id_confidence, the calibrated probability that an image is in-distribution. Paper sec. 3.5."""

from collections.abc import Mapping
from typing import Any

from badood.calibrate.base import Calibrator, calibrator
from badood.calibrate.reliability import brier_score, calibration_error, reliability_table


def from_dict(content: Mapping[str, Any]) -> Calibrator:
    """The fitted calibrator that `to_dict` wrote."""
    made: Calibrator = calibrator.make(content["method"])
    return made.restore(content)


__all__ = ["Calibrator", "brier_score", "calibration_error", "calibrator", "from_dict", "reliability_table"]
