"""Energy without the strongest component of the last feature maps."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from pydantic import NonNegativeInt
from pydantic.dataclasses import dataclass
from pytorch_ood import detector as published
from torch import Tensor, nn

from badood.detect.activations import Activations, Network
from badood.detect.scorers.base import Reshaping, in_batches, network_of, scorer


@scorer("rankfeat")
@dataclass
class RankFeat(Reshaping):
    """Energy of logits without the rank-1 part of the last stage's map, averaged with those without that of the stage before.

    Source: Song et al. 2022. Of a map of one position nothing is left, so images must be larger than the backbone's stride.

    Attributes:
        power_iterations: by which the component is approximated from a random start, as the original does with 20 to save time;
            0 = exactly.
    """

    needs: ClassVar = frozenset({"images"})

    power_iterations: NonNegativeInt = 0

    def logits(self, seen: Activations) -> Tensor:
        """(N, C) mean logits of the two changed networks."""
        network, images = network_of(seen, self)
        return in_batches(partial(self._changed, network), network, images)

    def _changed(self, network: Network, prepared: Tensor) -> Tensor:
        exact = published.RankFeat(None, nn.Identity(), detector=nn.Identity()).predict_feature_maps
        start = torch.Generator().manual_seed(0)  # the same for every batch, so that none depends on those before it
        removed = partial(_approximately, iterations=self.power_iterations, start=start) if self.power_iterations else exact
        # the original takes its random starts in this order
        without = [_logits(network, stage, removed, prepared) for stage in reversed(network.stages)]
        return torch.stack(without).mean(dim=0)


@torch.no_grad()
def _logits(network: Network, stage: nn.Module, removed: Callable[[Tensor], Tensor], prepared: Tensor) -> Tensor:
    """Logits of a pass in which the stage's map has lost its first singular component."""
    hook = stage.register_forward_hook(lambda _module, _inputs, maps: removed(maps.contiguous()))
    try:
        return network.classify(prepared)
    finally:
        hook.remove()


def _approximately(maps: Tensor, iterations: int, start: torch.Generator) -> Tensor:
    """(B, C, H, W) maps without an approximation of their first singular component. Source: RankFeat, power_iteration."""
    rows = maps.flatten(2)
    left = torch.randn(rows.shape[1], generator=start).to(rows).expand(len(rows), 1, -1)
    torch.randn(rows.shape[2], generator=start)  # the original draws a start for the right vector too, which it does not use
    for _ in range(iterations):
        right = nn.functional.normalize(left @ rows, dim=2)
        left = nn.functional.normalize(right @ rows.mT, dim=2)
    strength = left @ rows @ right.mT
    return (rows - strength * left.mT @ right).view_as(maps)
