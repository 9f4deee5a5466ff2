"""How much each outlier harms the detector: what leaving it out would do to held-out images. DESIGN "Harm"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator, minres
from sklearn.ensemble import IsolationForest
from torch import Tensor
from torch.autograd.functional import jacobian, jvp, vhp

from badood.core.progress import Progress, Silent
from badood.core.rows import evenly, pieces
from badood.core.seeds import derive_seed
from badood.detect.energy_loss import energy, outlier_losses
from badood.detect.head import HeadRetrain

SMOOTH = 0.25
"""Width over which two energies count as equally ranked, in standard deviations of the held-out energies."""

MILLION = 1e6
"""Harm is told in millionths of AUROC: of one outlier among thousands it is of that size."""

_ENOUGH = 2_000
"""Held-out images of either kind whose pairs are compared."""

_CHUNK = 16_384

_GRADIENT = 4_096
"""Entries of an outlier's gradient that the forest sees; a tree asks for a few hundred."""


@dataclass(frozen=True)
class HeldOut:
    """What harm is measured on: (V, D) features of ID validation images and (A, D) of the auxiliary set."""

    validation: Tensor
    auxiliary: Tensor

    def loss(self, retrain: HeadRetrain) -> Callable[[Tensor], Tensor]:
        """Head -> 1 - AUROC of the energy, smooth: the mean over pairs of sigmoid((E_id - E_ood) / width).

        AUROC itself has no slope. The width is a quarter of the spread of the energies under the start, so that a head gains nothing by scaling
        all energies.
        """
        parts = [part[evenly(len(part), _ENOUGH)].double() for part in (self.validation, self.auxiliary)]
        with torch.no_grad():
            width = SMOOTH * torch.cat([retrain.energy(retrain.start, part) for part in parts]).std()

        def misranked(theta: Tensor) -> Tensor:
            of_id, of_ood = (retrain.energy(theta, part) for part in parts)
            return torch.sigmoid((of_id[:, None] - of_ood[None, :]) / width).mean()

        return misranked


def harm(retrain: HeadRetrain, theta: Tensor, held_out: HeldOut, outliers: Tensor) -> NDArray[np.float64]:
    """By how much AUROC on held-out images would rise if an outlier were left out; positive = harmful. Koh and Liang 2017.

    The influence of a training row at the minimum: one solve with the exact Hessian of the damped loss serves all outliers. Eq. 4 takes the mean
    over outliers, so that to leave one out gives the others its weight: harm is told against the mean outlier, and sums to zero.

    Args:
        theta: (P,) the minimum for all outliers of `retrain`. outliers: (M, D) features of those that are asked for.

    Returns:
        (M,) in millionths of AUROC.
    """
    among = len(retrain.outliers)
    even = torch.ones(among, dtype=torch.float64)

    def curved(direction: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(vhp(lambda point: retrain(point, even), theta, torch.from_numpy(direction.ravel()))[1])  # type: ignore[no-untyped-call]

    wanted = np.asarray(jacobian(held_out.loss(retrain), theta))  # type: ignore[no-untyped-call]
    hessian = LinearOperator((len(theta), len(theta)), curved, dtype=np.float64)
    solved = torch.from_numpy(minres(hessian, wanted, rtol=1e-8)[0])

    def toward(features: Tensor) -> Tensor:
        """How fast each outlier's loss grows along the solution."""
        along: Tensor = jvp(lambda point: retrain.losses(point, features), theta, solved)[1]  # type: ignore[no-untyped-call]
        return along

    mean = toward(retrain.outliers).mean()
    every = torch.cat([toward(outliers[rows].double()) for rows in pieces(len(outliers), _CHUNK)])
    return np.asarray(-MILLION * retrain.cfg.beta * (every - mean) / among)


class Halves(NamedTuple):
    """What heads retrained on random halves of the outliers give.

    Attributes:
        foretold, real: (subsets,) held-out loss in millionths, as harm foretells it up to a constant, and as it is. heads: (subsets, P) float64.
    """

    foretold: NDArray[np.float64]
    real: NDArray[np.float64]
    heads: Tensor


def halves(
    retrain: HeadRetrain,
    theta: Tensor,
    held_out: HeldOut,
    harms: ArrayLike,
    subsets: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Halves:
    """What harm foretells of retrains on random halves of the outliers, and what they give: linear datamodelling, Park et al. 2023.

    Args:
        theta: the minimum for all outliers. harms: (M,) of the outliers of `retrain`, M >= 2.
    """
    of_each, draw = np.asarray(harms, dtype=np.float64), np.random.default_rng(derive_seed("harm", seed))
    foretold, real, loss = np.empty(subsets), np.empty(subsets), held_out.loss(retrain)
    heads = theta.new_empty(subsets, len(theta))
    for number in range(subsets):
        kept = draw.permutation(len(of_each)) < len(of_each) // 2
        foretold[number] = -of_each[~kept].sum() * len(kept) / kept.sum()  # of a mean over fewer, each has a larger part
        heads[number] = retrain.minimum(torch.from_numpy(kept), begin=theta)
        real[number] = MILLION * float(loss(heads[number]))
        (progress or Silent()).update("harm", number + 1, subsets)
    return Halves(foretold, real, heads)


def disagreement(retrain: HeadRetrain, heads: Tensor, outliers: Tensor) -> NDArray[np.float64]:
    """How far detectors that differ by chance alone disagree about an outlier: the standard deviation of its energy over heads. Lakshminarayanan et al. 2017.

    Args:
        heads: (K, P) of `halves`, K >= 2. outliers: (M, D) features.

    Returns:
        (M,) in nats, >= 0.
    """
    parts = (outliers[rows].double() for rows in pieces(len(outliers), _CHUNK))
    return np.concatenate([torch.stack([retrain.energy(head, part) for head in heads]).std(dim=0).numpy() for part in parts])


def gradient_anomaly(retrain: HeadRetrain, theta: Tensor, outliers: Tensor, seed: int = 0) -> NDArray[np.float64]:
    """How unlike the others an outlier pulls the linear layer: isolation forest on gradients. Outlier gradient analysis, Chhabra et al. 2025.

    Args:
        outliers: (M, D) features.

    Returns:
        (M,) larger = its gradient is sooner told apart from the others'.
    """
    head = retrain.head(theta)
    draw = np.random.default_rng(derive_seed("gradient", seed))
    width, classes = outliers.shape[1], head.linear.out_features
    entries = np.sort(draw.choice(width * classes, min(width * classes, _GRADIENT), replace=False))

    def gradients(features: Tensor) -> NDArray[np.float32]:
        logits = head(features.float()).detach().requires_grad_()
        outlier_losses(head.phi(energy(logits))).sum().backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        return np.asarray(logits.grad[:, entries // width] * features.float()[:, entries % width])

    forest = IsolationForest(random_state=int(draw.integers(2**31)))
    forest.fit(gradients(outliers[evenly(len(outliers), len(retrain.outliers))]))
    return np.concatenate([-forest.score_samples(gradients(outliers[rows])) for rows in pieces(len(outliers), _CHUNK)])
