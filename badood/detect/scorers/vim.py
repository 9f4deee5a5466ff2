"""Energy with a virtual logit for what lies outside the principal space."""

from typing import ClassVar, Self

import numpy as np
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
        self.space_ = principal_space(seen, labels, self.dim)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.space_.predict_features(seen.features)


def principal_space(seen: Activations, labels: Tensor, dim: int | None) -> published.ViM:
    """pytorch-ood's ViM fitted on ID features, origin and axes by float64 decompositions.

    The space lies round a far origin, so one axis outweighs the others and float32 leaves four digits of the residual.

    Raises:
        BadInput: `dim` leaves nothing outside.
    """
    width = seen.features.shape[1]
    dim = dim if dim is not None else width // 2
    if dim >= width:
        raise BadInput(f"a principal space of {dim} axes leaves nothing of {width} features outside; lower dim.")
    weight, bias = linear(seen)
    space = published.ViM(None, dim, weight, bias)
    # numpy decomposes in float64 and rounds the result, as the paper's code does
    space.u = -torch.from_numpy(np.linalg.pinv(weight.cpu().numpy()) @ bias.cpu().numpy())
    space.fit_features(seen.features, labels)
    centred = (seen.features - space.u).numpy()
    axes = np.linalg.eigh(centred.T @ centred / len(centred)).eigenvectors
    space.principal_subspace = torch.from_numpy(np.ascontiguousarray(axes[:, : width - dim]))
    residual = (seen.features - space.u) @ space.principal_subspace
    space.alpha = float(seen.logits.amax(dim=1).mean() / residual.norm(dim=1).mean())
    return space
