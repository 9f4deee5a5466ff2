"""Energy of pruned activations."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Reshaping, scorer


@scorer("ash")
@dataclass
class ASH(Reshaping):
    """Energy of features of which a percentile is set to zero and the others stay ("p"), share the whole sum ("b"), or are
    scaled up by exp(sum before / sum after) ("s"). Source: Djurisic et al. 2023; on pooled features, as OpenOOD.
    """

    needs: ClassVar = frozenset({"features"})
    variant: Literal["b", "p", "s"] = "s"
    percentile: Annotated[float, Field(gt=0, lt=100)] = 65.0

    def shaped(self, maps: Tensor) -> Tensor:
        """(N, D, h, w) maps -> the same, pruned. An all-zero row stays so: its sums have no ratio."""
        pruned: Tensor = published.ASH.variants[f"ash-{self.variant}"](maps, self.percentile / 100)
        return torch.where(maps.flatten(1).any(dim=1)[:, None, None, None], pruned, maps)

    @torch.no_grad()
    def logits(self, seen: Activations) -> Tensor:
        """(N, C) logits of the pruned features."""
        logits: Tensor = seen.head(self.shaped(seen.features[:, :, None, None])[:, :, 0, 0])
        return logits
