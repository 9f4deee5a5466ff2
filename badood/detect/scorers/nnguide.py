"""Energy guided by the nearest ID images."""

from typing import ClassVar, Self

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, cut, scorer


@scorer("nnguide")
@dataclass
class NNGuide(Scorer):
    """Energy times the mean of the k largest cosines with ID features, each weighted by its energy. Source: Park et al. 2023."""

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "train"
    k: PositiveInt = 10

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Remember the ID features with their energies."""
        self.bank_ = published.NNGuide(None, seen.head, k=cut("nnguide", self.k, seen)).fit_features(seen.features, labels)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.bank_.predict_features(seen.features)
