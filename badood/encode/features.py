"""The encoder and the representation z0."""

from itertools import pairwise
from pathlib import Path

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import badood.core.whitened  # noqa: F401  one more of timm's models
from badood.config import Encoder as EncoderSettings
from badood.core import weights
from badood.core.compute import Compute
from badood.core.progress import Progress
from badood.encode.vit import load_published

# ImageNet statistics, with which MoCo-v3 and every preset's encoder were trained
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def prepare(images: Tensor, size: int) -> Tensor:
    """Network input: (N, 3, H, W) uint8, or float in [0, 1] -> normalised float (N, 3, size, size).

    Normalises first and resizes second, bicubic without antialiasing and without keeping the aspect. Source: RCG.
    """
    images = images.float().div(255) if images.dtype == torch.uint8 else images
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
    images = (images - mean) / std
    if images.shape[-2:] != (size, size):
        images = F.interpolate(images, size=(size, size), mode="bicubic")
    return images.contiguous(memory_format=torch.channels_last)


def standardise(projected: Tensor) -> Tensor:
    """z0: each row less its mean, over its standard deviation (unbiased, no epsilon). Source: RCG, paper's z0."""
    std, mean = torch.std_mean(projected.float(), dim=1, keepdim=True)
    return (projected.float() - mean) / std


def mlp(widths: list[int], *, last_norm: bool = True) -> nn.Sequential:
    """Linear layers without bias, each with BatchNorm; ReLU between; the last norm has no scale and shift. Source: MoCo-v3."""
    layers: list[nn.Module] = []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        last = index == len(widths) - 2
        layers.append(nn.Linear(inputs, outputs, bias=False))
        if not last:
            layers += [nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]
        elif last_norm:
            layers.append(nn.BatchNorm1d(outputs, affine=False))
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """Backbone and projection head of MoCo-v3; any timm model serves as backbone.

    Args:
        cfg: backbone name, input size, widths of the head.
    """

    def __init__(self, cfg: EncoderSettings) -> None:
        super().__init__()
        self.image_size = cfg.image_size
        self.backbone = timm.create_model(cfg.backbone, num_classes=0, **cfg.backbone_params)
        self.head = mlp([self.backbone.num_features, cfg.hidden, cfg.hidden, cfg.dim])

    def forward(self, prepared: Tensor) -> Tensor:
        """(N, 3, S, S) from `prepare` -> (N, dim) projected, not yet standardised."""
        return self.head(self.backbone(prepared))

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) as `prepare` takes them -> the backbone's last features, a map or tokens."""
        return self.backbone.forward_features(prepare(images, self.image_size))


def encode(encoder: Encoder, pixels: Tensor, compute: Compute, *, batch_size: int = 512, progress: Progress | None = None) -> Tensor:
    """z0 of images.

    Args:
        encoder: in eval mode, on the compute's device.
        pixels: (N, 3, H, W) uint8.

    Returns:
        (N, dim) float32 on the CPU; every row has mean 0 and standard deviation 1.
    """
    # activations of a small network take a few hundred times the input's bytes
    batch_size = compute.batch_size(400 * 3 * encoder.image_size**2, batch_size)
    return compute.map(
        lambda batch: standardise(encoder(prepare(batch, encoder.image_size))), pixels, batch_size, stage="encode", progress=progress
    )


def load_encoder(path: Path, cfg: EncoderSettings) -> Encoder:
    """The encoder of a weights file: our safetensors, or a published MoCo-v3 checkpoint (`.pth.tar`).

    Raises:
        BadWeights: the file is missing, holds code, or does not fit the settings; every tensor that does not fit is named.
    """
    encoder = Encoder(cfg)
    if path.suffix == ".safetensors":
        weights.load_strict(encoder, weights.read(path), path)
    else:
        load_published(encoder, weights.read_entry(path, "state_dict"), path)
    return encoder
