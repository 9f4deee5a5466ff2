"""Distance to the k-th nearest training image."""

from typing import ClassVar, Self

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, cut, scorer


@scorer("knn")
@dataclass
class KNN(Scorer):
    """Euclidean distance to the k-th nearest ID feature, all features scaled to unit length. Source: Sun et al. 2022."""

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "train"
    k: PositiveInt = 50

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Remember the ID features."""
        self.bank_ = published.KNN(None, k=cut("knn", self.k, seen)).fit_features(seen.features, labels)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.bank_.predict_features(seen.features)
