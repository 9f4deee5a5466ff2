"""What the uncertainty loss makes of the energy."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.core.errors import BadInput
from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("phi")
@dataclass
class Phi(Scorer):
    """phi(E) of eq. 4, the log-odds that an image is an outlier. Given weights that were not trained with it bring a phi that has learnt nothing."""

    needs: ClassVar = frozenset({"logits"})
    log_odds: ClassVar = True

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        if seen.phi is None:
            raise BadInput("scorer phi: the network has no phi; calibrate its energy (calibrate.score=energy).")
        return seen.phi
