"""Energy with a virtual logit for what lies outside the principal space."""

from collections.abc import Callable
from typing import ClassVar, Self

import torch
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
        self.space_ = principal_space(seen, self.dim)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.space_.predict_features(seen.features)


def second_moments(centred: Tensor) -> Tensor:
    """(N, D) features round the origin -> (D, D) float64 mean of their outer products."""
    centred = centred.double()
    return centred.T @ centred / len(centred)


def origin(seen: Activations) -> Tensor:
    """(D,) point of the feature space where all logits are 0, or as near as they come; computed in float64."""
    weight, bias = linear(seen)
    # weights are rounded to float32: a smaller singular value is rounding, and its inverse would put the origin anywhere
    rounding = max(weight.shape) * torch.finfo(weight.dtype).eps
    return -(torch.linalg.pinv(weight.double(), rtol=rounding) @ bias.double()).float()


def principal_space(
    seen: Activations, dim: int | None, *, centre: Tensor | None = None, moments: Callable[[Tensor], Tensor] = second_moments
) -> published.ViM:
    """pytorch-ood's ViM fitted on ID features.

    Args:
        dim: axes of the principal space; none = half of the features.
        centre: (D,) origin; none = `origin`.
        moments: the original sums in float32. The origin lies far off, so that one axis outweighs the others and the sum's
            last digits reach the fourth digit of a score: there every order of the rows gives a score of its own.

    Raises:
        BadInput: `dim` leaves nothing outside.
    """
    width = seen.features.shape[1]
    dim = dim if dim is not None else width // 2
    if dim >= width:
        raise BadInput(f"a principal space of {dim} axes leaves nothing of {width} features outside; lower dim.")
    space = published.ViM(None, dim, *linear(seen))
    space.u = origin(seen) if centre is None else centre
    centred = seen.features - space.u
    axes = torch.linalg.eigh(moments(centred).double()).eigenvectors
    space.principal_subspace = axes[:, : width - dim].float().contiguous()
    space.alpha = float(seen.logits.amax(dim=1).mean() / (centred @ space.principal_subspace).norm(dim=1).mean())
    return space
