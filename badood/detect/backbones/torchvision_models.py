"""torchvision's classifiers, and its ResNets with the stem that people give them for small images."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torchvision
from torch import nn

from badood.core.compute import on_host
from badood.core.errors import BadConfig
from badood.detect.backbones.base import Family, State, backbone

PREFIX = "torchvision/"
SMALL = "_32x32"
# their logits are no linear layer's of pooled features, or training returns further ones
WITHOUT = ("squeezenet", "googlenet", "inception")

LOOKS = {
    "layer1.": ("resnet", "resnext", "wide_resnet"),
    "features.": ("alexnet", "convnext", "densenet", "efficientnet", "mobilenet", "swin", "vgg"),
    "stage2.": ("shufflenet",),
    "layers.": ("mnasnet",),
    "blocks.": ("maxvit",),
    "encoder.layers.": ("vit",),
    "trunk_output.": ("regnet",),
}
"""By the beginning of a tensor's name: which models to compare a file with."""


@cache
def _published() -> tuple[str, ...]:
    return tuple(name for name in torchvision.models.list_models(module=torchvision.models) if not name.startswith(WITHOUT))


@backbone("torchvision")
class Torchvision(Family):
    """torchvision/resnet18 and so on; torchvision/resnet18_32x32 begins with a 3x3 convolution and does not pool at once."""

    rank = 1

    def names(self) -> Sequence[str]:
        """All classifiers that end in one linear layer."""
        return [*(PREFIX + name for name in _published()), *(f"{PREFIX}resnet{depth}{SMALL}" for depth in (18, 34, 50))]

    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """The published network, its last linear layer left out."""
        short = name.removeprefix(PREFIX).removesuffix(SMALL)
        try:
            with _place(short):
                network = torchvision.models.get_model(short, weights=None, **params)
        except (TypeError, ValueError) as error:
            raise BadConfig(f"detector.backbone {name!r} does not take detector.backbone_params = {dict(params)} ({error}).") from error
        if name.endswith(SMALL):
            network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
            network.maxpool = nn.Identity()
        last, layer = [(path, part) for path, part in network.named_modules() if isinstance(part, nn.Linear)][-1]
        above, _, own = last.rpartition(".")
        setattr(network.get_submodule(above), own, nn.Identity())
        network.num_features = layer.in_features
        return network

    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Of ResNets the last two; of others the last two parts of what makes the features."""
        for path in ("encoder.layers", "features", "blocks", "trunk_output"):
            parts = dict(backbone.named_modules()).get(path)
            if parts is not None and len(found := list(parts.children())) > 1:
                return found[-2], found[-1]
        found = [part for name, part in backbone.named_children() if name.startswith(("layer", "stage"))]
        return found[-2], found[-1]

    def image_size(self, name: str) -> int:
        """224 px, what nearly all were trained with; `torchvision:` weights say their own."""
        return 32 if name.endswith(SMALL) else 224

    def candidates(self, state: State) -> Sequence[str]:
        """Those whose parts have such names."""
        likely = {model for look, models in LOOKS.items() if any(name.startswith(look) for name in state) for model in models}
        return [name for name in self.names() if name.removeprefix(PREFIX).startswith(tuple(likely))] if likely else []


def _place(name: str) -> AbstractContextManager[object]:
    """RegNets compute their sizes with tensors, so they cannot be built where tensors have no values."""
    return on_host() if name.startswith("regnet") else nullcontext()
