"""What every calibrator would make of a run's scores, on images it was not fitted on."""

import numpy as np
import pandas as pd

from badood.calibrate import calibrator, reliability_table


def compare_calibrators(reference: pd.DataFrame, bins: int = 10) -> dict[str, pd.DataFrame]:
    """Reliability before calibration ("raw") and after every registered calibrator.

    Each is fitted on every second held-out image and judged on the others.

    Args:
        reference: `Finished.reference`: set ("validation" = ID, "auxiliary" = OOD) and energy.

    Returns:
        By calibrator a `calibrate.reliability_table`; raw confidence is 1 - S with S = sigmoid(E), the paper's eq. 6.

    Raises:
        BadInput: the scores cannot be calibrated; says why.
    """
    energy, is_id = reference["energy"].to_numpy(np.float64), (reference["set"] == "validation").to_numpy()
    # images of a set stand together, so every second row takes half of each
    fitting = np.arange(len(energy)) % 2 == 0
    confidence = {"raw": np.exp(-np.logaddexp(0, energy[~fitting]))}
    for name in calibrator:
        fitted = calibrator.make(name).fit(energy[fitting], is_id[fitting])
        confidence[name] = fitted.id_confidence(energy[~fitting])
    return {name: reliability_table(values, is_id[~fitting], bins) for name, values in confidence.items()}
