"""Distance to the nearest class, less the distance to all ID images."""

from typing import ClassVar, Self

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.gaussian import fit_gaussian
from badood.detect.scorers.base import Scorer, scorer


@scorer("rmd")
@dataclass
class RMD(Scorer):
    """Relative Mahalanobis distance. Source: Ren et al. 2021. See `Mahalanobis` for why it is not pytorch-ood's."""

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "train"

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn a Gaussian a class, and one for all."""
        self.classes_ = fit_gaussian(seen.features, labels)
        self.background_ = fit_gaussian(seen.features, torch.zeros_like(labels))
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.classes_.distance(seen.features).amin(dim=1) - self.background_.distance(seen.features)[:, 0]
