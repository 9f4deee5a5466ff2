"""MoCo-v3: two crops, a momentum encoder, symmetric InfoNCE. Source: Chen, Xie, He 2021."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from badood.config import Crops
from badood.config import Encoder as EncoderSettings
from badood.core.compute import Compute
from badood.core.ranks import ALONE, Ranks
from badood.core.training import Loss
from badood.encode.features import MEAN, STD, Encoder, mlp


class MoCo(nn.Module):
    """Encoder that learns, its prediction head, and the momentum copy that makes the keys.

    Args:
        cfg: the encoder's settings; `momentum` is the copy's at the start and rises to 1 along a cosine.
    """

    def __init__(self, cfg: EncoderSettings) -> None:
        super().__init__()
        self.cfg = cfg
        self.encoder = Encoder(cfg)
        self.predictor = mlp([cfg.dim, cfg.hidden, cfg.dim])
        self.momentum_encoder = copy.deepcopy(self.encoder).requires_grad_(False)

    @torch.no_grad()
    def follow(self, done: float) -> None:
        """Move the momentum encoder; `done` is the share of the training behind us."""
        keep = 1 - 0.5 * (1 + math.cos(math.pi * done)) * (1 - self.cfg.momentum)
        torch._foreach_lerp_(list(self.momentum_encoder.parameters()), list(self.encoder.parameters()), 1 - keep)

    def loss(self, first: Tensor, second: Tensor, ranks: Ranks = ALONE) -> Tensor:
        """Symmetric InfoNCE of two views, (B, 3, S, S) normalised each, in nats; the keys of all processes are told apart."""
        queries = [self.predictor(self.encoder(view)) for view in (first, second)]
        with torch.no_grad():
            keys = [self.momentum_encoder(view) for view in (first, second)]
        return self._info_nce(queries[0], keys[1], ranks) + self._info_nce(queries[1], keys[0], ranks)

    def _info_nce(self, query: Tensor, key: Tensor, ranks: Ranks) -> Tensor:
        query, key = F.normalize(query.float(), dim=1), ranks.gathered(F.normalize(key.float(), dim=1))
        logits = query @ key.T / self.cfg.temperature
        own = torch.arange(len(query), device=query.device) + ranks.rank * len(query)
        # the factor 2 tau is the original's
        return 2 * self.cfg.temperature * F.cross_entropy(logits, own)


def moco_loss(moco: MoCo, pixels: Tensor, compute: Compute) -> Loss:
    """What `core.training.fit` minimises over (N, 3, H, W) uint8 pixels."""

    def loss(rows: Tensor, done: float) -> Tensor:
        moco.follow(done)
        images = compute.put(pixels[rows]).float().div_(255)
        first, second = (view(images, moco.cfg.crops, moco.cfg.view_size or moco.cfg.image_size) for _ in range(2))
        return moco.loss(first, second, compute.ranks)

    return loss


def view(images: Tensor, crops: Crops, size: int) -> Tensor:
    """One random view of each image, drawn from torch's global generator.

    Colour is changed before the crop, at the source's resolution: the same distribution of colours for less work.

    Args:
        images: (B, 3, H, W) float in [0, 1].

    Returns:
        (B, 3, size, size) float, normalised, channels-last.
    """
    coloured = blur(gray(jitter(images, crops), crops.gray_chance), crops.blur_chance)
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
    cropped = random_crop((coloured - mean) / std, crops.scale, size)
    return cropped.contiguous(memory_format=torch.channels_last)


def random_crop(images: Tensor, scale: tuple[float, float], size: int) -> Tensor:
    """Random resized crop with aspect 3/4..4/3 and a random mirror: (B, C, H, W) -> (B, C, size, size), bilinear."""
    draw = torch.rand(5, len(images), device=images.device)
    area = scale[0] + (scale[1] - scale[0]) * draw[0]
    aspect = torch.exp((2 * draw[1] - 1) * math.log(4 / 3))
    width, height = ((area * factor).sqrt().clamp_max(1) for factor in (aspect, 1 / aspect))
    mirror = torch.where(draw[2] < 0.5, -1.0, 1.0)
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    theta[:, 0, 0], theta[:, 0, 2] = width * mirror, (1 - width) * (2 * draw[3] - 1)
    theta[:, 1, 1], theta[:, 1, 2] = height, (1 - height) * (2 * draw[4] - 1)
    grid = F.affine_grid(theta, [len(images), images.shape[1], size, size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def jitter(images: Tensor, crops: Crops) -> Tensor:
    """Brightness, contrast, saturation and hue of a `jitter_chance` of the images; the result stays in [0, 1]."""
    brightness, contrast, saturation, hue = crops.jitter
    draw = 2 * torch.rand(5, len(images), 1, 1, 1, device=images.device) - 1
    luma = _luma(images)
    out = luma + (images - luma) * (1 + saturation * draw[0])
    out = _turn_hue(out, 2 * math.pi * hue * draw[1])
    mean = out.mean(dim=(1, 2, 3), keepdim=True)
    out = ((out - mean) * (1 + contrast * draw[2]) + mean) * (1 + brightness * draw[3])
    chosen = draw[4] < 2 * crops.jitter_chance - 1
    return torch.where(chosen, out.clamp_(0, 1), images)


def gray(images: Tensor, chance: float) -> Tensor:
    """A `chance` of the images loses its colour."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < chance
    return torch.where(chosen, _luma(images), images)


def blur(images: Tensor, chance: float) -> Tensor:
    """A `chance` of the images is blurred by a 3x3 binomial kernel, the Gaussian that fits images of a few dozen px."""
    chosen = (torch.rand(len(images), device=images.device) < chance).nonzero()[:, 0]
    kernel = torch.tensor([1.0, 2.0, 1.0], device=images.device)
    kernel = (kernel[:, None] * kernel / 16).expand(images.shape[1], 1, 3, 3)
    blurred = F.conv2d(F.pad(images[chosen], (1, 1, 1, 1), mode="reflect"), kernel, groups=images.shape[1])
    return images.index_copy(0, chosen, blurred)


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def _turn_hue(images: Tensor, angle: Tensor) -> Tensor:
    """Rotate colours about the gray axis by `angle` (B, 1, 1, 1) radians: Rodrigues' formula, far cheaper than HSV."""
    cos, sin = angle.cos(), angle.sin()
    mean = images.mean(dim=1, keepdim=True)
    cross = (images.roll(1, dims=1) - images.roll(-1, dims=1)) / math.sqrt(3)
    return images * cos + cross * sin + mean * (1 - cos)
