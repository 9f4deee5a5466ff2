"""VQGAN: image <-> a grid of codes. RCG's layout of taming-transformers' VQModel, with its own state-dict names.

Quirks of the original that are kept, since the published weights were trained with them: no attention, no quant_conv, average
pooling, residual convolutions without bias, and a shortcut that reads the processed hidden state where a block changes the width.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from badood.config import Tokenizer
from badood.core import weights
from badood.core.compute import Compute
from badood.core.errors import BadConfig
from badood.core.training import Loss
from badood.decode.published import read_part

WARM_UP = 0.1
"""Share of the training before which nothing is quantised."""
SETTLED = 0.8
"""Share of the training after which unused codes stay where they are."""


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=1e-6)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.nin_shortcut = nn.Conv2d(outputs, outputs, 1, bias=False) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return hidden + (x if self.nin_shortcut is None else self.nin_shortcut(hidden))


class Middle(nn.Module):
    """Two blocks at the coarsest level."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width, groups)
        self.block_2 = ResidualBlock(width, width, groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        return self.block_2(self.block_1(x))


class Upsample(nn.Module):
    """Nearest neighbour to twice the size, then a 3x3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, 2 H, 2 W)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The residual blocks of one resolution; an upsampling follows them in every decoder level but the finest."""

    def __init__(self, inputs: int, outputs: int, blocks: int, groups: int, *, upsample: bool = False) -> None:
        super().__init__()
        widths = [inputs, *[outputs] * blocks]
        self.block = nn.Sequential(*[ResidualBlock(a, b, groups) for a, b in pairwise(widths)])
        self.upsample = Upsample(outputs) if upsample else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), or twice that size after an upsampling."""
        return self.upsample(self.block(x))


class ImageEncoder(nn.Module):
    """Image -> vectors before quantisation; every level but the last halves the size."""

    def __init__(self, cfg: Tokenizer) -> None:
        super().__init__()
        widths = [cfg.channels, *[cfg.channels * factor for factor in cfg.multipliers]]
        self.conv_in = nn.Conv2d(3, cfg.channels, 3, padding=1, bias=False)
        self.down = nn.ModuleList(Level(a, b, cfg.blocks, cfg.groups) for a, b in pairwise(widths))
        self.mid = Middle(widths[-1], cfg.groups)
        self.norm_out = nn.GroupNorm(cfg.groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], cfg.code_dim, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, code_dim, h, w)."""
        hidden = self.conv_in(images)
        for index, level in enumerate(self.down):
            hidden = level(hidden if index == 0 else F.avg_pool2d(hidden, 2))
        return self.conv_out(F.silu(self.norm_out(self.mid(hidden))))


class ImageDecoder(nn.Module):
    """Code vectors -> image."""

    def __init__(self, cfg: Tokenizer) -> None:
        super().__init__()
        widths = [cfg.channels * factor for factor in cfg.multipliers]
        inputs = [*widths[1:], widths[-1]]
        self.conv_in = nn.Conv2d(cfg.code_dim, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], cfg.groups)
        # numbered by resolution, the finest first, and run from the last to the first
        self.up = nn.ModuleList(
            Level(a, b, cfg.blocks, cfg.groups, upsample=index > 0) for index, (a, b) in enumerate(zip(inputs, widths, strict=True))
        )
        self.norm_out = nn.GroupNorm(cfg.groups, widths[0], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, code_dim, h, w) -> (N, 3, H, W), not clipped."""
        hidden = self.mid(self.conv_in(codes))
        for level in reversed(self.up):
            hidden = level(hidden)
        return self.conv_out(F.silu(self.norm_out(hidden)))


class Codebook(nn.Module):
    """The code vectors, and the nearest of them."""

    def __init__(self, codes: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, dim)
        nn.init.uniform_(self.embedding.weight, -1 / codes, 1 / codes)

    def nearest(self, z: Tensor) -> Tensor:
        """(M, code_dim) -> (M,) int64 index of the nearest code in L2, in float32 whatever the autocast."""
        with torch.autocast(z.device.type, enabled=False):
            table = self.embedding.weight.float()
            # |z|^2 is the same for every code
            return torch.addmm(table.square().sum(dim=1), z.float(), table.T, alpha=-2).argmin(dim=1)

    @torch.no_grad()
    def sample(self, z: Tensor) -> None:
        """Make the codes a random sample of the vectors (M, code_dim)."""
        table = self.embedding.weight
        table.copy_(z[torch.randint(len(z), (len(table),), device=z.device)])

    @torch.no_grad()
    def follow(self, z: Tensor, chosen: Tensor, *, revive: bool) -> None:
        """One step of online k-means: every code moves towards the mean of the vectors that chose it.

        Args:
            z: (M, code_dim) vectors of a batch. chosen: (M,) their codes.
            revive: move codes that nobody chose onto random vectors of the batch.
        """
        table, z = self.embedding.weight, z.float()
        count = torch.bincount(chosen, minlength=len(table)).unsqueeze(1)
        total = torch.zeros_like(table).index_add_(0, chosen, z)
        # a code's own position counts as much as ten batches' average share of vectors
        own = 10 * len(z) / len(table)
        moved = (own * table + total) / (own + count)
        lost = (count == 0) & revive
        table.copy_(torch.where(lost, z[torch.randint(len(z), (len(table),), device=z.device)], moved))


class VQGAN(nn.Module):
    """Encoder, codebook, decoder.

    Args:
        cfg: sizes. Width times every multiplier must be a multiple of `groups`, the image size of 2 ** (levels - 1).
    """

    def __init__(self, cfg: Tokenizer) -> None:
        super().__init__()
        odd = [width for width in {cfg.channels, *(cfg.channels * factor for factor in cfg.multipliers)} if width % cfg.groups]
        if odd:
            raise BadConfig(
                f"tokenizer.channels {cfg.channels} x multipliers {cfg.multipliers} gives width {odd[0]}: take multiples of groups {cfg.groups}."
            )
        self.encoder = ImageEncoder(cfg)
        self.decoder = ImageDecoder(cfg)
        self.quantize = Codebook(cfg.codes, cfg.code_dim)
        self.shrink = 2 ** (len(cfg.multipliers) - 1)
        self.width = cfg.channels * max(cfg.multipliers[:2])  # at full resolution, where the second level is upsampled to

    @classmethod
    def of(cls, cfg: Tokenizer) -> "VQGAN":
        """The network of a preset, with random weights."""
        return cls(cfg)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) uint8, or float in [0, 1] -> code vectors (N, code_dim, h, w) and their indices (N, h * w) int64, row by row."""
        z = self.encoder(as_input(images))
        indices = self.indices(z)
        return self.vectors(indices, z.shape[2]), indices

    def indices(self, latents: Tensor) -> Tensor:
        """(N, code_dim, h, w) vectors before rounding -> (N, h * w) int64, the nearest code of each."""
        return self.quantize.nearest(latents.movedim(1, 3).flatten(0, 2)).view(len(latents), -1)

    def encode_indices(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) uint8, or float in [0, 1] -> (N, h * w) int64."""
        return self.encode(images)[1]

    def vectors(self, indices: Tensor, height: int | None = None) -> Tensor:
        """(N, h * w) int64 -> (N, code_dim, h, w); the grid is square where no height is given."""
        height = height or round(indices.shape[1] ** 0.5)
        return self.quantize.embedding(indices).unflatten(1, (height, -1)).movedim(3, 1)

    def decode(self, vectors: Tensor) -> Tensor:
        """(N, code_dim, h, w) -> (N, 3, H, W) float, in [0, 1] but for overshoot; not clipped."""
        return self.decoder(vectors)

    def bytes_per_image(self, codes: int) -> int:
        """About what decoding one image of so many codes takes at most: four float32 arrays of the widest finest layer."""
        return 4 * 4 * self.width * codes * self.shrink**2

    def decode_indices(self, indices: Tensor) -> Tensor:
        """(N, h * w) int64 of a square grid -> (N, 3, H, W) uint8."""
        return to_pixels(self.decode(self.vectors(indices)))


def as_input(images: Tensor) -> Tensor:
    """Float in [0, 1], channels-last; the original neither shifts nor scales."""
    images = images.float().div(255) if images.dtype == torch.uint8 else images
    return images.contiguous(memory_format=torch.channels_last)


def to_pixels(decoded: Tensor) -> Tensor:
    """Float image -> uint8, clipped and truncated, not rounded. Source: RCG engine_mage.py."""
    return decoded.float().mul(255).clamp(0, 255).to(torch.uint8)


def load_vqgan(path: Path, cfg: Tokenizer) -> VQGAN:
    """The tokenizer with weights of ours (safetensors) or of a published file: taming's VQModel, or a MAGE checkpoint of RCG.

    Raises:
        BadWeights: the file is missing, unsafe, or of another architecture.
    """
    vqgan = VQGAN.of(cfg)
    # taming's checkpoints carry the discriminator and LPIPS under loss.*
    state = weights.read(path) if path.suffix == ".safetensors" else read_part(path, "vqgan.", drop=("loss.",))
    weights.load_strict(vqgan, state, path)
    return vqgan.eval()


def tokenizer_loss(
    vqgan: VQGAN, pixels: Tensor, compute: Compute, features: Callable[[Tensor], Tensor] | None = None, perceptual: float = 0.0
) -> Loss:
    """What `core.training.fit` minimises over (N, 3, H, W) uint8 pixels: squared error plus commitment (0.25, as the original).

    With `features` a perceptual loss (Johnson et al. 2016; VQGAN has LPIPS) of weight `perceptual` comes on top: 1 - the cosine of the
    features (B, ...) of an image, (B, 3, H, W) in [0, 1], and of its reconstruction.

    The codebook follows the encoder by online k-means rather than by gradient, which needs fewer steps. It keeps no
    statistics, so a resumed run is the same run. For the first tenth of the training the network learns without
    quantisation, and the codebook is a sample of its vectors.
    """

    def misfit(rebuilt: Tensor, images: Tensor) -> Tensor:
        error = F.mse_loss(rebuilt.float(), images)
        if features is None:
            return error
        with torch.no_grad():
            goal = features(images)
        likeness = F.cosine_similarity(features(rebuilt).float().flatten(1), goal.float().flatten(1))
        return error + perceptual * (1 - likeness).mean()

    def loss(rows: Tensor, done: float) -> Tensor:
        images = as_input(compute.put(pixels[rows]))
        z = vqgan.encoder(images)
        flat = z.movedim(1, 3).flatten(0, 2)
        if done < WARM_UP:
            vqgan.quantize.sample(flat.detach())
            return misfit(vqgan.decode(z), images)
        chosen = vqgan.quantize.nearest(flat.detach())
        quantised = vqgan.quantize.embedding(chosen).detach().view(*z.movedim(1, 3).shape).movedim(3, 1)
        vqgan.quantize.follow(flat.detach(), chosen, revive=done < SETTLED)
        commitment = F.mse_loss(z.float(), quantised)
        straight_through = z + (quantised - z).detach()
        return misfit(vqgan.decode(straight_through), images) + 0.25 * commitment

    return loss
