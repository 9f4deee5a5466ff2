"""The vision transformer of MoCo-v3 on timm's blocks, and its published checkpoint. Source: facebookresearch/moco-v3 vits.py."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from timm.models import build_model_with_cfg, register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from badood.core import weights


def sincos_table(side: int, width: int) -> Tensor:
    """(1, 1 + side * side, width) float32 fixed positions, a zero row first for the class token.

    Blocks: sine and cosine of the first coordinate, then of the second; the first is constant along the fast axis of the grid.
    """
    place = torch.arange(side, dtype=torch.float32)
    first, second = torch.meshgrid(place, place, indexing="ij")
    quarter = width // 4
    frequencies = 1 / 10_000 ** (torch.arange(quarter, dtype=torch.float32) / quarter)
    angles = [grid.flatten()[:, None] * frequencies for grid in (first, second)]
    table = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    return torch.cat([torch.zeros(1, width), table])[None]


class VisionTransformerMoCo(VisionTransformer):
    """timm's ViT with fixed positions, a frozen patch projection, and MoCo-v3's initial weights.

    Its output is the class token after the last norm. Arguments are timm's.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(norm_layer=partial(nn.LayerNorm, eps=1e-6), **arguments)
        self.pos_embed = nn.Parameter(sincos_table(self.patch_embed.grid_size[0], self.embed_dim), requires_grad=False)
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Linear):
                # queries, keys and values are three layers in one
                limit = math.sqrt(6 / (layer.out_features // (3 if name.endswith("qkv") else 1) + layer.in_features))
                nn.init.uniform_(layer.weight, -limit, limit)
                nn.init.zeros_(layer.bias)
        patches = self.patch_embed.proj
        limit = math.sqrt(6 / (patches.weight[0].numel() + self.embed_dim))
        nn.init.uniform_(patches.weight, -limit, limit)
        nn.init.zeros_(patches.bias)
        nn.init.normal_(self.cls_token, std=1e-6)
        patches.requires_grad_(False)


@register_model
def vit_moco_small(pretrained: bool = False, **arguments: Any) -> nn.Module:
    """ViT-S with twelve heads, as MoCo-v3 has it."""
    return _made("vit_moco_small", pretrained, {"embed_dim": 384, "depth": 12, "num_heads": 12} | arguments)


@register_model
def vit_moco_base(pretrained: bool = False, **arguments: Any) -> nn.Module:
    """ViT-B."""
    return _made("vit_moco_base", pretrained, {"embed_dim": 768, "depth": 12, "num_heads": 12} | arguments)


@register_model
def vit_moco_large(pretrained: bool = False, **arguments: Any) -> nn.Module:
    """ViT-L, the paper's encoder."""
    return _made("vit_moco_large", pretrained, {"embed_dim": 1024, "depth": 24, "num_heads": 16} | arguments)


def _made(name: str, pretrained: bool, arguments: dict[str, Any]) -> nn.Module:
    """A model as timm makes its own. timm looks for published files of its own and warns where it has none; the entry says so."""
    return build_model_with_cfg(VisionTransformerMoCo, name, pretrained, **arguments | {"pretrained_cfg": {"num_classes": 0}})


_MISSPELT = {
    "blocks.13.norm13.": "blocks.13.norm1.",
    "blocks.13.mlp.fc13.": "blocks.13.mlp.fc1.",
    "blocks.14.norm14.": "blocks.14.norm2.",
    "blocks.14.mlp.fc14.": "blocks.14.mlp.fc2.",
}


_TRAINING_ONLY = ("momentum_encoder.", "predictor.")


def load_published(encoder: nn.Module, state: Mapping[str, Tensor], source: Path | str, prefix: str = "base_encoder.") -> None:
    """Copy a published state dict into an encoder of `backbone` and `head`.

    The momentum encoder and the predictor, which only training needs, are left out. Four names that the released ViT-L
    misspells are put right, as RCG's loader does.

    Raises:
        BadWeights: names or shapes differ.
    """
    found = {_repaired(name): tensor for name, tensor in weights.unprefixed(dict(state)).items() if not name.startswith(_TRAINING_ONLY)}
    published = {own: prefix + own.removeprefix("backbone.") for own in encoder.state_dict()}
    weights.check(found, {published[own]: tensor for own, tensor in encoder.state_dict().items()}, source, "MoCo-v3's encoder")
    encoder.load_state_dict({own: found[name] for own, name in published.items()})


def _repaired(name: str) -> str:
    for wrong, right in _MISSPELT.items():
        name = name.replace(wrong, right)
    return name
