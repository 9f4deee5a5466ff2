"""Length of what lies outside the principal space."""

from typing import ClassVar, Self

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer
from badood.detect.scorers.vim import principal_space


@scorer("residual")
@dataclass
class Residual(Scorer):
    """|residual| of ViM alone. Source: Wang et al. 2022, sec. 3."""

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "validation"
    dim: PositiveInt | None = None

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn the principal space."""
        self.space_ = principal_space(seen, self.dim)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return ((seen.features - self.space_.u) @ self.space_.principal_subspace).norm(dim=1)
