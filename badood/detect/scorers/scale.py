"""Energy of features scaled by how much of them the largest carry."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from pytorch_ood.detector.scale import scale
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Reshaping, scorer


@scorer("scale")
@dataclass
class Scale(Reshaping):
    """Energy of features times exp(their sum / the sum of those above a percentile). Source: Xu et al. 2024."""

    needs: ClassVar = frozenset({"features"})
    percentile: Annotated[float, Field(gt=0, lt=100)] = 65.0

    @torch.no_grad()
    def logits(self, seen: Activations) -> Tensor:
        """(N, C) logits of the scaled features. An all-zero row stays so: its sums have no ratio."""
        scaled = scale(seen.features[:, :, None, None], self.percentile / 100)[:, :, 0, 0]
        logits: Tensor = seen.head(torch.where(seen.features.any(dim=1, keepdim=True), scaled, seen.features))
        return logits
