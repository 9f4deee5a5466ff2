"""Cases of the package betacal, which the product's beta calibration is fitted by: all four of its parametrisations."""

import warnings

import numpy as np
import torch
from betacal import BetaCalibration
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from badood.benchmark.conformance.engine import Case, Check, family
from badood.calibrate.base import Floats
from badood.calibrate.beta import Beta
from badood.core.errors import ReversedOrder, Uncalibrated


@family("betacal")
def betacal(case: Case, check: Check) -> None:
    """Every set of scores and labels: fitted parameters, and predictions on the scores and on a grid."""
    for name in sorted({output.split(".")[0] for output in case.outputs()}):
        scores, labels = (case.input(f"{name}.{part}").cpu().numpy() for part in ("scores", "labels"))
        grid = case.input("grid").cpu().numpy().astype(scores.dtype)
        for output in case.outputs(f"{name}."):
            if output.endswith(".map"):
                _fit(output.removesuffix(".map"), scores, labels, grid, check)
        for output in case.outputs(f"{name}.unconstrained_ab"):
            check.close(output, unconstrained(scores, labels))
        if f"{name}.abm.map" in case.outputs():
            _product(name, scores, labels, grid, check)


def _fit(prefix: str, scores: Floats, labels: Floats, grid: Floats, check: Check) -> None:
    """One parametrisation, by the package itself."""
    with warnings.catch_warnings():  # its fit silences warnings for the whole process
        fitted = BetaCalibration(prefix.rsplit(".", 1)[1]).fit(scores, labels).calibrator_
    learnt = fitted.lr_
    check.close(f"{prefix}.map", torch.tensor([float(value) for value in fitted.map_], dtype=torch.float64))
    check.close(f"{prefix}.coef_intercept", torch.from_numpy(np.append(learnt.coef_[0], learnt.intercept_).astype(np.float64)))
    check.close(f"{prefix}.pred_grid", torch.from_numpy(fitted.predict(grid)))
    check.close(f"{prefix}.pred_train", torch.from_numpy(fitted.predict(scores)))


def unconstrained(scores: Floats, labels: Floats) -> Tensor:
    """(2,) slopes of the unbounded fit, which decide the package's branch."""
    eps = np.finfo(scores.dtype).eps
    clipped = np.clip(scores, eps, 1 - eps)
    columns = np.column_stack([np.log(clipped), -np.log(1 - clipped)])
    return torch.from_numpy(LogisticRegression(C=99999999999).fit(columns, labels).coef_[0].astype(np.float64))


def _product(name: str, scores: Floats, labels: Floats, grid: Floats, check: Check) -> None:
    """The product's calibrator, in log-space, on float64 scores inside (0, 1): its map must be the recorded one."""
    if scores.dtype != np.float64 or scores.min() <= 0 or scores.max() >= 1:
        check.remark(
            f"{name}: scores of 0 or 1 or in float32 are clipped by the package; the product takes log-odds, where none is clipped"
        )
        return
    log_odds = np.log1p(-scores) - np.log(scores)
    try:
        fitted = Beta().fit(log_odds, labels == 1)
    except ReversedOrder:
        check.remark(f"{name}: the package returns a map that ranks ID below OOD; the product refuses it")
        return
    except Uncalibrated:
        check.remark(f"{name}: the package returns a map that tells no scores apart; the product refuses it")
        return
    inside = (grid > 0) & (grid < 1)
    confidence = fitted.id_confidence(np.log1p(-grid[inside]) - np.log(grid[inside]))
    recorded = check.case.output(f"{name}.abm.pred_grid").cpu().numpy()[inside]
    check.same(f"{name}: the product's calibrator", torch.from_numpy(confidence), torch.from_numpy(recorded))
