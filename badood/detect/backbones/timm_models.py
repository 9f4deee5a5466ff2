"""Any model of timm, by timm's name."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from math import isqrt
from typing import Any

import timm
from torch import nn

from badood.core.errors import BadConfig
from badood.detect.backbones.base import Family, State, backbone

LOOKS = {
    "blocks.*.attn.qkv.weight": ("vit_*", "deit*", "beit*"),
    "layers.*.blocks.*.attn.qkv.weight": ("swin*",),
    "stages.*.blocks.*.conv_dw.weight": ("convnext*",),
    "conv_stem.weight": ("efficientnet*", "tf_efficientnet*", "mobilenet*", "mnasnet*"),
    "layer1.*.conv1.weight": ("resnet*", "resnext*", "wide_resnet*", "seresnet*", "ecaresnet*", "gc*resnet*"),
    "stages.*.blocks.*.conv1.weight": ("resnetv2*",),
    "s1.*.conv1.conv.weight": ("regnet*",),
    "features.*.weight": ("vgg*", "densenet*"),
}
"""By a tensor's name: which of timm's thousand models to compare a file with."""


@backbone("timm")
class Timm(Family):
    """The models themselves, so that their tensors keep timm's names."""

    rank = 9

    def names(self) -> Sequence[str]:
        """See timm.list_models()."""
        return timm.list_models()

    def has(self, name: str) -> bool:
        """Any name: timm says itself what it does not know."""
        return True

    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """Without its classifier."""
        try:
            if not timm.is_model(name):  # a name with a prefix would fetch from a hub, or read any folder
                raise RuntimeError("unknown name")
            return timm.create_model(name, pretrained=False, num_classes=0, **params)
        except (RuntimeError, TypeError, ValueError) as error:
            others = [own for kind in backbone.values() if kind is not Timm for own in kind().names()]
            shown = ", ".join([own for own in others if not own.startswith("torchvision/")] + ["torchvision/resnet50 and others"])
            raise BadConfig(
                f"detector.backbone {name!r} with {dict(params)} is not a timm model ({error}); see timm.list_models(). Besides there are {shown}."
            ) from error

    def width(self, backbone: nn.Module) -> int:
        """Of what its classifier would be given, which in some is wider than the last map."""
        return int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]

    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """As timm's feature_info says."""
        before, last = [backbone.get_submodule(entry["module"]) for entry in backbone.feature_info][-2:]  # type: ignore[union-attr]
        return before, last

    def image_size(self, name: str) -> int:
        """Of timm's entry for the model."""
        found = timm.get_pretrained_cfg(name)
        return int(found.input_size[-1]) if found is not None else 224

    def candidates(self, state: State) -> Sequence[str]:
        """Models of the kind that has such names; of ResNets and ViTs only those whose name says the file's depth, or patch and size."""
        patterns = [like for look, likes in LOOKS.items() if any(fnmatch(name, look) for name in state) for like in likes]
        words = _words(state)
        return [
            name for name in timm.list_models() if any(fnmatch(name, like) for like in patterns) and all(word in name for word in words)
        ]


def _words(state: State) -> list[str]:
    """What a name of timm's must hold, by the shapes of a file's tensors."""
    patch, places = state.get("patch_embed.proj.weight"), state.get("pos_embed")
    if patch is not None and places is not None and places.ndim == 3:
        side = patch.shape[-1]
        width = {192: ["tiny"], 384: ["small"], 768: ["base"], 1024: ["large"], 1280: ["huge"]}.get(patch.shape[0], [])
        return [f"patch{side}_", f"_{side * isqrt(places.shape[1])}", *width]
    blocks = {match[0] for name in state if (match := re.match(r"layer\d+\.\d+\.", name))}
    if not blocks:
        return []
    each = 3 if any(name.endswith(".conv3.weight") for name in state) else 2
    return [str(2 + each * len(blocks))]
