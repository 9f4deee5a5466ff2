"""Energy with the weakest contributions to the logits left out."""

from typing import Annotated, ClassVar, Self

from pydantic import Field
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor
from torch.nn import functional as F

from badood.detect.activations import Activations
from badood.detect.scorers.base import Reshaping, linear, scorer


@scorer("dice")
@dataclass
class DICE(Reshaping):
    """Energy with only those weights whose mean ID contribution exceeds a percentile. Source: Sun & Li 2022."""

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "train"
    percentile: Annotated[float, Field(ge=0, lt=100)] = 90.0

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn which weights stay."""
        self.sparse_ = published.DICE(None, *linear(seen), p=self.percentile / 100).fit_features(seen.features, labels)
        return self

    def logits(self, seen: Activations) -> Tensor:
        """(N, C) logits of the sparse layer; one product, where pytorch-ood holds N x C x D numbers."""
        return F.linear(seen.features, self.sparse_.masked_w, self.sparse_.bias)
