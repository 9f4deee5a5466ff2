"""FPR95, AUROC, AUPR and ID accuracy, all as fractions; OOD is the positive class. DESIGN item 10."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics

from badood.core.errors import BadInput

METRICS = ("fpr95", "auroc", "aupr")
"""The paper's figures, in its order."""

FPR95_OPENOOD = "fpr95_openood"
"""FPR95 with the roles swapped, as OpenOOD and IS-OOD report it: share of ID flagged at the threshold that catches at least 95 % of OOD.

A column of its own, beside ours, so that figures can be held against published ones.
"""


def ood_metrics(anomaly_id: ArrayLike, anomaly_ood: ArrayLike) -> dict[str, float]:
    """How well a score tells OOD from ID.

    Args:
        anomaly_id: (N,) scores of ID images, larger = more OOD; never squashed.
        anomaly_ood: (M,) scores of OOD images.

    Returns:
        METRICS and FPR95_OPENOOD, in [0, 1].

    Raises:
        BadInput: a set is empty or a score is not a number.
    """
    id_scores, ood_scores = _scores("ID", anomaly_id), _scores("OOD", anomaly_ood)
    both, label = _joined(id_scores, ood_scores)
    precision, recall, _ = metrics.precision_recall_curve(label, both)
    return {
        "fpr95": float((ood_scores <= acceptance_threshold(id_scores)).mean()),
        "auroc": float(metrics.roc_auc_score(label, both)),
        # the trapezoidal area, as OpenOOD; average precision is another figure
        "aupr": float(metrics.auc(recall, precision)),
        FPR95_OPENOOD: float((id_scores >= detection_threshold(ood_scores)).mean()),
    }


def placements(anomaly_id: ArrayLike, anomaly: ArrayLike) -> NDArray[np.float64]:
    """How far up among the ID images each image lies: the share of them that look less odd, ties counted half.

    The mean over a group of OOD images is the group's AUROC, so that many groups cost one sort of the ID scores. Source: Hanley & McNeil 1982.

    Args:
        anomaly_id: (N,) scores of ID images, larger = more OOD; never squashed.
        anomaly: (M,) scores of the images to be placed.

    Returns:
        (M,) in [0, 1].

    Raises:
        BadInput: a set is empty or a score is not a number.
    """
    id_scores, scores = np.sort(_scores("ID", anomaly_id)), _scores("OOD", anomaly)
    below, not_above = (np.searchsorted(id_scores, scores, side=side) for side in ("left", "right"))
    return (below + not_above) / (2 * len(id_scores))


def acceptance_threshold(anomaly_id: ArrayLike) -> float:
    """The smallest anomaly at which "accept what does not exceed it" accepts at least 95 % of ID.

    Tied scores are accepted together. No point of a thinned ROC curve is used: scikit-learn drops collinear ones, and the
    figure read from the next kept one is too large.
    """
    scores = np.sort(_scores("ID", anomaly_id))
    return float(scores[_most(len(scores)) - 1])


def detection_threshold(anomaly_ood: ArrayLike) -> float:
    """The largest anomaly at which "flag what reaches it" catches at least 95 % of OOD; as `acceptance_threshold`."""
    scores = np.sort(_scores("OOD", anomaly_ood))
    return float(scores[len(scores) - _most(len(scores))])


def _most(count: int) -> int:
    """The least whole number that is at least 95 % of `count`: ceil in integers, as 0.95 * count is not exact in floats."""
    return -(-95 * count // 100)


def roc_curve(anomaly_id: ArrayLike, anomaly_ood: ArrayLike) -> pd.DataFrame:
    """The ROC curve for plots: false_positive_rate (ID flagged), true_positive_rate (OOD flagged), threshold (anomaly)."""
    both, label = _joined(_scores("ID", anomaly_id), _scores("OOD", anomaly_ood))
    flagged_id, flagged_ood, threshold = metrics.roc_curve(label, both)
    return pd.DataFrame({"false_positive_rate": flagged_id, "true_positive_rate": flagged_ood, "threshold": threshold})


def mean_over_sets(of_set: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The unweighted mean of each metric over OOD sets, as the paper's "Average" column.

    Args:
        of_set: {set: {metric: value}}. FPR95_OPENOOD may be missing, as in runs from before it was reported.

    Raises:
        BadInput: there is no set.
    """
    if not of_set:
        raise BadInput("a mean over OOD sets needs at least one set; name one in data.ood.")
    names = [*METRICS, *([FPR95_OPENOOD] if all(FPR95_OPENOOD in values for values in of_set.values()) else [])]
    return {name: float(np.mean([values[name] for values in of_set.values()])) for name in names}


def id_accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of ID images whose class the detector names.

    Args:
        predicted: (N,) class numbers. labels: (N,) the true ones.
    """
    return float((np.asarray(predicted) == np.asarray(labels)).mean())


def _scores(kind: str, anomaly: ArrayLike) -> NDArray[np.floating]:
    scores = np.asarray(anomaly)
    if scores.ndim != 1 or len(scores) == 0:
        raise BadInput(f"{kind} scores have shape {scores.shape}, expected (N,) with N >= 1: a metric compares ID with OOD images.")
    if np.isnan(scores).any():
        raise BadInput(
            f"{np.isnan(scores).sum()} of {len(scores)} {kind} scores are not a number; "
            "the detector has diverged (train it again with a lower learning rate), or this scorer divides by zero here (leave it out)."
        )
    return scores


def _joined(id_scores: NDArray[np.floating], ood_scores: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Scores and labels as scikit-learn takes them; infinities become the largest finite number, which keeps their rank."""
    both = np.nan_to_num(np.concatenate([id_scores, ood_scores]))
    return both, np.repeat([0, 1], [len(id_scores), len(ood_scores)])
