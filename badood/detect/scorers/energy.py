"""Free energy of the logits."""

from typing import ClassVar

from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass
from pytorch_ood.detector import EnergyBased
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("energy")
@dataclass
class Energy(Scorer):
    """-T logsumexp(logits / T). Source: Liu et al. 2020, eq. 4."""

    needs: ClassVar = frozenset({"logits"})
    log_odds: ClassVar = True
    temperature: PositiveFloat = 1.0

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return EnergyBased.score(seen.logits, t=self.temperature)
