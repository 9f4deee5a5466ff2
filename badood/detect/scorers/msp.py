"""Maximum softmax probability."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from pytorch_ood.detector import MaxSoftmax
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("msp")
@dataclass
class MSP(Scorer):
    """Minus the largest softmax probability. Source: Hendrycks & Gimpel 2017."""

    needs: ClassVar = frozenset({"logits"})

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return MaxSoftmax.score(seen.logits)
