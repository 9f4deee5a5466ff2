"""Energy with the largest activations cut off."""

from typing import Annotated, ClassVar, Self

from pydantic import Field
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor, nn

from badood.detect.activations import Activations
from badood.detect.scorers.base import Reshaping, scorer


@scorer("react")
@dataclass
class ReAct(Reshaping):
    """Energy of features clipped at a percentile of the ID ones. Source: Sun et al. 2021."""

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "validation"
    percentile: Annotated[float, Field(gt=0, le=100)] = 90.0

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn the threshold."""
        fitted = published.ReAct(None, None, percentile=self.percentile / 100).fit_feature_maps(seen.features, labels)
        self.threshold_ = fitted.threshold
        return self

    def logits(self, seen: Activations) -> Tensor:
        """(N, C) logits of the clipped features."""
        clipped = published.ReAct(None, seen.head, threshold=self.threshold_, detector=nn.Identity())
        return clipped.predict_feature_maps(seen.features)
