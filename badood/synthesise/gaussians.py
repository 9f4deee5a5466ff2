"""Class-conditional Gaussians with one covariance, and their least likely samples. Source: Du et al. 2022 (VOS)."""

import math

import torch
from torch import Tensor


def class_gaussians(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Gaussians of all classes.

    Args:
        features: (N, D). labels: (N,) int64 in 0..classes-1; every class has a row.

    Returns:
        (classes, D) means and (D, D) covariance: shared, over the number of all rows, 0.0001 added to the diagonal.
    """
    counts = torch.bincount(labels, minlength=classes)[:, None]
    means = features.new_zeros(classes, features.shape[1]).index_add_(0, labels, features) / counts
    centred = features - means[labels]
    return means, centred.T @ centred / len(features) + 1e-4 * torch.eye(features.shape[1]).to(features)


def gaussian_samples(means: Tensor, covariance: Tensor, noise: Tensor) -> Tensor:
    """Samples (..., M, D) of Gaussians with (..., D) means, from standard normal noise (..., M, D)."""
    return means[..., None, :] + noise @ torch.linalg.cholesky(covariance).T


def log_density(covariance: Tensor, noise: Tensor) -> Tensor:
    """(..., M) log density in nats of the samples that `gaussian_samples` makes of this noise."""
    spread = torch.linalg.cholesky(covariance).diagonal().log().sum()
    return -0.5 * (noise.square().sum(-1) + noise.shape[-1] * math.log(2 * math.pi)) - spread


def least_likely(density: Tensor, keep: int) -> Tensor:
    """(..., keep) positions of the lowest (..., M) densities, the lowest first."""
    return (-density).topk(keep, dim=-1).indices
