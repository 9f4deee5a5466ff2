"""Generalised entropy of the softmax."""

from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("gen")
@dataclass
class GEN(Scorer):
    """Sum of p^gamma (1 - p)^gamma over the `top` largest probabilities. Source: Liu et al. 2023, eq. 2.

    Not pytorch-ood's: it lifts every p below 1e-7 to 1e-7, which ties the most confident images.
    """

    needs: ClassVar = frozenset({"logits"})
    gamma: PositiveFloat = 0.1
    top: PositiveInt = 100

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        p = seen.logits.softmax(dim=1).sort(dim=1, descending=True).values[:, : self.top]
        return (p**self.gamma * (1 - p) ** self.gamma).sum(dim=1)
