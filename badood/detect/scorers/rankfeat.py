"""Energy without the strongest component of the last feature maps."""

from functools import partial
from typing import ClassVar

import torch
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
    """

    needs: ClassVar = frozenset({"images"})

    def logits(self, seen: Activations) -> Tensor:
        """(N, C) mean logits of the two changed networks."""
        network, images = network_of(seen, self)
        without = [in_batches(partial(_without_rank1, network, stage), network, images) for stage in network.stages]
        return torch.stack(without).mean(dim=0)


@torch.no_grad()
def _without_rank1(network: Network, stage: nn.Module, prepared: Tensor) -> Tensor:
    """Logits of a pass in which the stage's map has lost its first singular component."""
    removed = published.RankFeat(None, nn.Identity(), detector=nn.Identity())
    hook = stage.register_forward_hook(lambda _module, _inputs, maps: removed.predict_feature_maps(maps.contiguous()))
    try:
        return network.classify(prepared)
    finally:
        hook.remove()
