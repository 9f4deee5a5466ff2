"""Cases of the OOD metrics of OpenOOD and pytorch-ood."""

import numpy as np
import torch
from numpy.typing import NDArray

from badood.benchmark.conformance.engine import Case, Check, family
from badood.evaluate.metrics import id_accuracy, ood_metrics, roc_curve

Floats = NDArray[np.floating]


@family("metrics")
def metrics(case: Case, check: Check) -> None:
    """Every set of scores, in both libraries' ways.

    Both report the reverse of the paper's FPR95: how much ID is flagged when 95 % of OOD is, the product's `fpr95_openood`.
    """
    for name in case.config["cases"]:
        confidence, label, predicted = (case.input(f"{name}.{part}").cpu().numpy() for part in ("conf", "label", "pred"))
        of_id, of_ood = confidence[label >= 0], confidence[label < 0]
        curve = roc_curve(-of_id, -of_ood)
        thinned = float(curve["false_positive_rate"][int((curve["true_positive_rate"] >= 0.95).argmax())])
        exact = ood_metrics(-of_id, -of_ood)["fpr95_openood"]
        if thinned != exact:
            check.remark(
                f"{name}: FPR95 {thinned:.4g} is read from a thinned ROC curve, as OpenOOD does; the product's own way gives {exact:.4g}"
            )
        got = [thinned, *areas(-of_id, -of_ood, of_id, of_ood), id_accuracy(predicted[label >= 0], label[label >= 0])]
        check.close(f"{name}.openood", torch.tensor(got, dtype=torch.float64))
        squashed, squashed_back = squash(-confidence), squash(confidence)
        if np.unique(squashed).size < np.unique(confidence).size or np.unique(squashed_back).size < np.unique(confidence).size:
            check.remark(f"{name}: pytorch-ood's sigmoid merges scores, asked for here; the product never squashes them")
        flagged = ood_metrics(squashed[label >= 0], squashed[label < 0])["fpr95_openood"]
        sides = [scores[rows] for scores in (squashed, squashed_back) for rows in (label >= 0, label < 0)]
        check.close(f"{name}.pytorch_ood", torch.tensor([flagged, *areas(*sides)], dtype=torch.float64))


def areas(anomaly_id: Floats, anomaly_ood: Floats, confidence_id: Floats, confidence_ood: Floats) -> list[float]:
    """AUROC, AUPR with ID positive, AUPR with OOD positive."""
    forward = ood_metrics(anomaly_id, anomaly_ood)
    return [forward["auroc"], ood_metrics(confidence_ood, confidence_id)["aupr"], forward["aupr"]]


def squash(scores: Floats) -> Floats:
    """What torchmetrics makes of scores: a float32 sigmoid where any lies outside [0, 1]."""
    if ((scores >= 0) & (scores <= 1)).all():
        return scores
    return torch.from_numpy(scores).float().sigmoid().numpy()
