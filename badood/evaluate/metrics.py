"""FPR95, AUROC, AUPR and ID accuracy, all as fractions; OOD is the positive class. DESIGN item 10."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics

from badood.core.errors import BadInput

METRICS = ("fpr95", "auroc", "aupr")
"""What `ood_metrics` reports, in the paper's order."""


def ood_metrics(anomaly_id: ArrayLike, anomaly_ood: ArrayLike) -> dict[str, float]:
    """How well a score tells OOD from ID.

    Args:
        anomaly_id: (N,) scores of ID images, larger = more OOD; never squashed.
        anomaly_ood: (M,) scores of OOD images.

    Returns:
        fpr95, auroc, aupr in [0, 1].

    Raises:
        BadInput: a set is empty or a score is not a number.
    """
    known, odd = _scores("ID", anomaly_id), _scores("OOD", anomaly_ood)
    both, label = _joined(known, odd)
    precision, recall, _ = metrics.precision_recall_curve(label, both)
    return {
        "fpr95": float((odd <= acceptance_threshold(known)).mean()),
        "auroc": float(metrics.roc_auc_score(label, both)),
        # the trapezoidal area, as OpenOOD; average precision is another figure
        "aupr": float(metrics.auc(recall, precision)),
    }


def acceptance_threshold(anomaly_id: ArrayLike) -> float:
    """The smallest anomaly at which "accept what does not exceed it" accepts at least 95 % of ID.

    Tied scores are accepted together. No point of a thinned ROC curve is used: scikit-learn drops collinear ones, and the
    figure read from the next kept one is too large.
    """
    known = np.sort(_scores("ID", anomaly_id))
    accepted = -(-95 * len(known) // 100)  # ceil in integers: 0.95 * n is not exact in floats
    return float(known[accepted - 1])


def roc_curve(anomaly_id: ArrayLike, anomaly_ood: ArrayLike) -> pd.DataFrame:
    """The ROC curve for plots: false_positive_rate (ID flagged), true_positive_rate (OOD flagged), threshold (anomaly)."""
    both, label = _joined(_scores("ID", anomaly_id), _scores("OOD", anomaly_ood))
    flagged_id, flagged_ood, threshold = metrics.roc_curve(label, both)
    return pd.DataFrame({"false_positive_rate": flagged_id, "true_positive_rate": flagged_ood, "threshold": threshold})


def mean_over_sets(of_set: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The unweighted mean of each metric over OOD sets, as the paper's "Average" column.

    Args:
        of_set: {set: {metric: value}}.

    Raises:
        BadInput: there is no set.
    """
    if not of_set:
        raise BadInput("a mean over OOD sets needs at least one set; name one in data.ood.")
    return {name: float(np.mean([values[name] for values in of_set.values()])) for name in METRICS}


def id_accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of ID images whose class the detector names.

    Args:
        predicted, labels: (N,) class numbers.
    """
    return float((np.asarray(predicted) == np.asarray(labels)).mean())


def _scores(kind: str, anomaly: ArrayLike) -> NDArray[np.floating]:
    scores = np.asarray(anomaly)
    if scores.ndim != 1 or len(scores) == 0:
        raise BadInput(f"{kind} scores have shape {scores.shape}, expected (N,) with N >= 1: a metric compares ID with OOD images.")
    if np.isnan(scores).any():
        raise BadInput(f"{np.isnan(scores).sum()} of {len(scores)} {kind} scores are not a number; mend the scorer or the images.")
    return scores


def _joined(known: NDArray[np.floating], odd: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Scores and labels as scikit-learn takes them; infinities become the largest finite number, which keeps their rank."""
    both = np.nan_to_num(np.concatenate([known, odd]))
    return both, np.repeat([0, 1], [len(known), len(odd)])
