"""Distance to the nearest class in feature space."""

from typing import ClassVar, Self

from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.gaussian import fit_gaussian
from badood.detect.scorers.base import Scorer, scorer


@scorer("mahalanobis")
@dataclass
class Mahalanobis(Scorer):
    """Squared Mahalanobis distance to the nearest class mean, covariance shared. Source: Lee et al. 2018, penultimate layer.

    Not pytorch-ood's: it leaves the covariance undivided and inverts it in float32 with a ridge of 1e-6, which dead features upset.
    """

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "train"

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn class means and the shared covariance."""
        self.classes_ = fit_gaussian(seen.features, labels)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.classes_.distance(seen.features).amin(dim=1)
