"""Energy of the logits and the loss that pushes outliers' energy up. Paper sec. 3.4, eq. 3 to 5."""

from typing import Literal

import torch
from numpy.typing import ArrayLike
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F


def energy(logits: Tensor) -> Tensor:
    """E(x) = -logsumexp of the logits, eq. 3.

    Args:
        logits: (N, C) float.

    Returns:
        (N,) energy in nats; larger looks more OOD.
    """
    return -logits.logsumexp(dim=1)


def uncertainty_loss(phi_id: Tensor, phi_outliers: Tensor, weights: Tensor | None = None) -> Tensor:
    """Pushes sigmoid(phi(E)) to 0 on ID and to 1 on outliers, eq. 4.

    Args:
        phi_id: (N,) phi(E) of ID images. phi_outliers: (M,) of outliers. weights: (M,) of these, >= 0; none = all alike.

    Returns:
        Scalar: the sum of the two means, so that neither side's count weighs.
    """
    of_outliers = outlier_losses(phi_outliers)
    return F.softplus(phi_id).mean() + (of_outliers.mean() if weights is None else weights @ of_outliers / weights.sum())


def outlier_losses(phi: Tensor) -> Tensor:
    """(M,) phi(E) of outliers -> (M,) what each adds to eq. 4."""
    return F.softplus(-phi)


class MonotonePhi(nn.Module):
    """phi as a small MLP that increases by construction: every slope is a softplus of what is learnt.

    An unconstrained phi may learn to separate with the sign reversed; sigmoid(E) would then rank OOD as ID.
    A linear path beside the saturating units keeps the slope away from zero at any energy.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.slope_in = nn.Parameter(torch.zeros(hidden))
        self.slope_out = nn.Parameter(torch.full((hidden,), -3.0))
        self.slope = nn.Parameter(torch.zeros(()))
        # knees spread over the energies that logits of a small classifier take
        self.knees = nn.Parameter(torch.linspace(-12.0, 4.0, hidden))
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, energy: Tensor) -> Tensor:
        """(N,) energy -> (N,) phi(E), increasing."""
        steps = torch.tanh(F.softplus(self.slope_in) * (energy[:, None] - self.knees))
        bend: Tensor = (F.softplus(self.slope_out) * steps).sum(dim=1)
        return bend + F.softplus(self.slope) * energy + self.offset


class MLPPhi(nn.Module):
    """phi as the paper's plain "nonlinear MLP"; nothing keeps it from reversing the order of the energies."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, energy: Tensor) -> Tensor:
        """(N,) energy -> (N,) phi(E)."""
        out: Tensor = self.layers(energy[:, None])
        return out[:, 0].to(energy.dtype)  # autocast lowers it


def make_phi(kind: Literal["monotone", "mlp"], hidden: int) -> nn.Module:
    """phi of eq. 4, as `detector.phi` names it."""
    return {"monotone": MonotonePhi, "mlp": MLPPhi}[kind](hidden)


def rank_correlation(energy_id: ArrayLike, energy_outliers: ArrayLike) -> float:
    """Spearman correlation of E with the outlier label, in [-1, 1].

    It must be positive: a negative figure says that the energies are ordered the wrong way round, and 0 that they are all equal.

    Args:
        energy_id: (N,) of ID images. energy_outliers: (M,) of outliers.
    """
    of_id, of_outliers = torch.as_tensor(energy_id).double(), torch.as_tensor(energy_outliers).double()
    energies = torch.cat([of_id, of_outliers])
    if (energies == energies[0]).all():
        return 0.0
    label = torch.cat([torch.zeros_like(of_id), torch.ones_like(of_outliers)])
    return float(spearmanr(energies.numpy(), label.numpy()).statistic)
