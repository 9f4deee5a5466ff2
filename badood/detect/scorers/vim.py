"""Energy with a virtual logit for what lies outside the principal space."""

from typing import ClassVar, Self

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor

from badood.core.errors import BadInput
from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, linear, scorer


@scorer("vim")
@dataclass
class ViM(Scorer):
    """alpha |residual| - logsumexp(logits), residual = the part of the features outside the first `dim` principal axes.

    Source: Wang et al. 2022. `dim` none = half of the features, the paper's choice for short ones.
    """

    needs: ClassVar = frozenset({"features"})
    fitted_on: ClassVar = "train"
    dim: PositiveInt | None = None

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn the principal space and alpha."""
        self.space_ = principal_space(seen, labels, self.dim)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.space_.predict_features(seen.features)


def principal_space(seen: Activations, labels: Tensor, dim: int | None) -> published.ViM:
    """pytorch-ood's ViM fitted on ID features.

    Raises:
        BadInput: `dim` leaves nothing outside.
    """
    width = seen.features.shape[1]
    dim = dim if dim is not None else width // 2
    if dim >= width:
        raise BadInput(f"a principal space of {dim} axes leaves nothing of {width} features outside; lower dim.")
    return published.ViM(None, dim, *linear(seen)).fit_features(seen.features, labels)
