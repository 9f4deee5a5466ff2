"""Size of the gradient that the uniform distribution would send into the last layer."""

from typing import ClassVar

from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("gradnorm")
@dataclass
class GradNorm(Scorer):
    """Minus the L1 norm of d/dW of the cross-entropy with all-ones targets, W the last layer. Source: Huang et al. 2021, eq. 7.

    That gradient is the outer product of the features with C softmax - 1, so its norm is the product of theirs (eq. 9): no
    backward pass an image, as pytorch-ood needs.
    """

    needs: ClassVar = frozenset({"logits", "features"})
    temperature: PositiveFloat = 1.0

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        classes = seen.logits.shape[1]
        output = (classes * (seen.logits / self.temperature).softmax(dim=1) - 1).abs().sum(dim=1)
        return -output * seen.features.abs().sum(dim=1) / self.temperature
