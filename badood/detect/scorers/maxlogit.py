"""Maximum logit."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("maxlogit")
@dataclass
class MaxLogit(Scorer):
    """Minus the largest logit. Source: Hendrycks et al. 2022."""

    needs: ClassVar = frozenset({"logits"})

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return published.MaxLogit.score(seen.logits)
