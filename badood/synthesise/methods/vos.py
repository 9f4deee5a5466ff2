"""VOS: unlikely samples of class Gaussians."""

from typing import Self

import torch
from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.core.noise import Noise
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.gaussians import class_gaussians, gaussian_samples, least_likely, log_density
from badood.synthesise.rdm import RDM


@synthesiser("vos")
@dataclass(kw_only=True)
class VOS(Synthesiser):
    """Each outlier is the least likely of some samples of its anchor's class Gaussian. Source: Du et al. 2022.

    Attributes:
        scale: factor on the Gaussian's standard deviation; 1 = VOS.
        tried: samples of which one is kept. VOS keeps 1 of 10,000.
    """

    scale: NonNegativeFloat = 1.0
    tried: PositiveInt = 1000

    def fit(self, z0: Tensor, labels: Tensor) -> Self:
        """Learn the means of all classes and their one covariance."""
        self.classes_, position = torch.unique(labels, return_inverse=True)
        self.means_, self.covariance_ = class_gaussians(z0, position, len(self.classes_))
        return self

    def sample(self, z0: Tensor, labels: Tensor, rdm: RDM, noise: Noise) -> Tensor:
        """(N, D) outliers of the anchors' classes."""
        covariance, means = self.covariance_.to(z0), self.means_.to(z0)
        own = torch.searchsorted(self.classes_.to(labels), labels)
        out = []
        # one at a time: the draws of one outlier are many, and all of a batch would not fit into memory
        for row, mean in enumerate(means[own]):
            draws = noise.take(slice(row, row + 1)).normal((self.tried, len(mean)), "samples")[0].to(z0)
            least = least_likely(log_density(covariance, draws), 1)
            out.append(gaussian_samples(mean, covariance, self.scale * draws[least])[0])
        return torch.stack(out)
