"""A Gaussian in feature space."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """Group means that share a covariance.

    Attributes:
        mean: (K, D) float64.
        whitening: (D, r) float64 that turns Mahalanobis into Euclidean distance.
    """

    mean: Tensor
    whitening: Tensor

    @property
    def precision(self) -> Tensor:
        """(D, D) inverse of the covariance."""
        return self.whitening @ self.whitening.T

    def distance(self, features: Tensor) -> Tensor:
        """(N, D) features -> (N, K) squared Mahalanobis distance to every mean, float64."""
        return torch.cdist(features.double() @ self.whitening, self.mean @ self.whitening).square()


def fit_gaussian(features: Tensor, groups: Tensor) -> Gaussian:
    """Maximum likelihood for groups that share a covariance; groups without rows have no mean.

    Directions whose variance float32 cannot tell from zero (dead or dependent features) are left out, as scikit-learn's
    pseudo-inverse does; a ridge would turn them into noise of any size.

    Args:
        features: (N, D). groups: (N,) int64.
    """
    features = features.double()
    numbers, row = torch.unique(groups, return_inverse=True)
    mean = torch.zeros(len(numbers), features.shape[1], dtype=torch.float64).index_add_(0, row, features) / row.bincount()[:, None]
    centred = features - mean[row]
    variance, direction = torch.linalg.eigh(centred.T @ centred / len(features))
    kept = variance > variance[-1] * features.shape[1] * torch.finfo(torch.float32).eps
    return Gaussian(mean, direction[:, kept] / variance[kept].sqrt())
