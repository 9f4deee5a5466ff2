"""Diffusion models of the tokenizer's latents under a representation, in MAGE's place: DiT and LDM. Paper Fig. 4b.

Both predict velocities of the vectors that the tokenizer rounds to codes, scaled to unit deviation; what they end with is rounded to codes and
decoded as MAGE's codes are. The networks are those of diffusers; in the place of a class they take the projected z0.
Source: Peebles & Xie 2023 (DiT); Rombach et al. 2022 (LDM).
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from badood.config import LDM, Decode, DiT, Tokenizer
from badood.core import weights
from badood.core.compute import Compute
from badood.core.errors import BadConfig
from badood.core.noise import Noise
from badood.core.progress import Progress
from badood.core.training import Loss
from badood.decode.diffusion import Diffusion, unet
from badood.decode.vqgan import VQGAN, as_input

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x_t (N, C, S, S), t (N,) int64, z0 (N, D)) -> velocity of x_t's shape."""


class LatentDiffusion(Diffusion):
    """Velocity of noisy latents, given z0.

    Attributes:
        network: a `Network`. channels, side: of the latents.
        mean, std: (C, 1, 1), of the training images' latents.
    """

    bounded: ClassVar = False

    def __init__(self, network: nn.Module, tokenizer: Tokenizer, dim: int) -> None:
        """A fresh model.

        Args:
            tokenizer: whose latents. dim: D, of z0.
        """
        super().__init__()
        self.network, self.channels, self.side = network, tokenizer.code_dim, tokenizer.side
        self.unconditional = nn.Parameter(torch.zeros(dim))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(tokenizer.code_dim, 1, 1))
        self.register_buffer("std", torch.ones(tokenizer.code_dim, 1, 1))

    @classmethod
    def of(cls, cfg: DiT | LDM, tokenizer: Tokenizer, dim: int) -> "LatentDiffusion":
        """The model of a preset's section.

        Raises:
            BadConfig: sizes that do not go together.
        """
        return cls(_DiT(cfg, tokenizer, dim) if isinstance(cfg, DiT) else _UNet(cfg, tokenizer, dim), tokenizer, dim)

    def velocity(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """(N, C, S, S) float32, of noisy latents at diffusion steps t (N,) int64 under z (N, D)."""
        said: Tensor = self.network(x_t, t, z)
        return said.float()

    def latents(self, z: Tensor, cfg: Decode, noise: Noise) -> Tensor:
        """The tokenizer's latents of representations, by `cfg.steps` steps of DDIM under classifier-free guidance.

        The guidance is constant, 1 + `cfg.guidance` as RCG counts it for MAGE, where it grows from 1 over the steps.

        Args:
            z: (N, D) on the model's device. noise: of the same rows; decides all.

        Returns:
            (N, C, S, S) float32.
        """
        without = self.unconditional.expand_as(z)

        def guided(x_t: Tensor, t: Tensor) -> Tensor:
            if cfg.guidance == 0:
                return self.velocity(x_t, t, z)
            own, plain = self.velocity(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([z, without])).chunk(2)
            return plain + (1 + cfg.guidance) * (own - plain)

        x = noise.normal((self.channels, self.side, self.side), "latent").to(z.device)
        return self.denoised(guided, x, cfg.steps) * self.std + self.mean

    def bytes_per_image(self) -> int:
        """About what decoding one image takes: both halves of the guidance, some 64 arrays as wide as the widest layer, float32."""
        widest = max(parameter.shape[0] for parameter in self.network.parameters())
        return 2 * 64 * 4 * widest * self.side**2


class _UNet(nn.Module):
    """A U-Net; z0 is added to the step's embedding."""

    def __init__(self, cfg: LDM, tokenizer: Tokenizer, dim: int) -> None:
        super().__init__()
        plain = len(cfg.multipliers) - 1
        if tokenizer.side % (1 << plain):
            raise BadConfig(
                f"ldm.multipliers has {plain + 1} levels, and {tokenizer.side} x {tokenizer.side} latents cannot be halved so often."
            )
        if cfg.channels % cfg.groups:
            raise BadConfig(f"ldm.channels is {cfg.channels}, expected a multiple of ldm.groups, {cfg.groups}.")
        self.net = unet(cfg, tokenizer.side, tokenizer.code_dim, class_embed_type="identity")
        self.project = nn.Linear(dim, 4 * cfg.channels)

    def forward(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """See `Network`."""
        said: Tensor = self.net(x_t, t, class_labels=self.project(z), return_dict=False)[0]
        return said


class _DiT(nn.Module):
    """The transformer of diffusers; every block embeds the step itself, and z0 by a projection in the place of the class's table."""

    def __init__(self, cfg: DiT, tokenizer: Tokenizer, dim: int) -> None:
        from diffusers import DiTTransformer2DModel

        super().__init__()
        if tokenizer.side % cfg.patch:
            raise BadConfig(f"dit.patch is {cfg.patch}, expected a divisor of the latents' side, {tokenizer.side}.")
        if cfg.width % cfg.heads:
            raise BadConfig(f"dit.width is {cfg.width}, expected a multiple of dit.heads, {cfg.heads}.")
        self.net = DiTTransformer2DModel(
            num_attention_heads=cfg.heads,
            attention_head_dim=cfg.width // cfg.heads,
            in_channels=tokenizer.code_dim,
            num_layers=cfg.depth,
            sample_size=tokenizer.side,
            patch_size=cfg.patch,
            attention_bias=True,
            num_embeds_ada_norm=1,
        )
        for block in self.net.transformer_blocks:
            block.norm1.emb.class_embedder = nn.Linear(dim, cfg.width)
            nn.init.zeros_(
                block.norm1.linear.weight
            )  # a block begins as the identity: adaLN-Zero, which diffusers leaves to its training code
            nn.init.zeros_(block.norm1.linear.bias)

    def forward(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """See `Network`."""
        said: Tensor = self.net(x_t, timestep=t, class_labels=z, return_dict=False)[0]
        return said


def decode_latents(
    model: LatentDiffusion, vqgan: VQGAN, z: Tensor, cfg: Decode, *, noise: Noise, compute: Compute, progress: Progress | None = None
) -> Tensor:
    """An image for every representation; row i depends on z[i] and noise.rows[i] alone, up to rounding.

    Args:
        model, vqgan: in eval mode, on the compute's device.
        z: (N, D) representations. noise: of the same rows.

    Returns:
        (N, 3, H, W) uint8 on the CPU.
    """

    def images_of(rows: Tensor) -> Tensor:
        rows = rows.cpu()
        found = model.latents(compute.put(z[rows]), cfg, noise.take(rows.numpy()))
        return vqgan.decode_indices(vqgan.indices(found))

    bytes_per_image = max(model.bytes_per_image(), vqgan.bytes_per_image(model.side**2))
    batch = compute.batch_size(bytes_per_image, cfg.batch_size)
    return compute.map(images_of, torch.arange(len(z)), batch, stage="decode latents", progress=progress)


def latents_of(vqgan: VQGAN, images: Tensor, compute: Compute, batch_size: int) -> Tensor:
    """(N, C, S, S) float32 vectors of (N, 3, H, W) uint8 images before they are rounded to codes, on the CPU."""
    return compute.map(lambda part: vqgan.encoder(as_input(part)).float(), images, batch_size, stage="tokenise")


def latents_loss(model: LatentDiffusion, latents: Tensor, z0: Tensor, drop_condition: float, compute: Compute) -> Loss:
    """What `core.training.fit` minimises: mean squared error of the velocity at a uniform random step. Sets the model's mean and std.

    Args:
        latents: (N, C, S, S). z0: (N, D), of the same images. drop_condition: share of the rows without z0.
    """
    model.mean.copy_(latents.mean(dim=(0, 2, 3)).view_as(model.mean))
    model.std.copy_(latents.std(dim=(0, 2, 3)).view_as(model.std))

    def loss(rows: Tensor, done: float) -> Tensor:
        x = (compute.put(latents[rows]) - model.mean) / model.std
        z = compute.put(z0[rows])
        dropped = torch.rand(len(z), 1, device=z.device) < drop_condition
        z = torch.where(dropped, model.unconditional, z)
        return model.error(x, lambda x_t, t: model.velocity(x_t, t, z))

    return loss


def load_latents(path: Path, cfg: DiT | LDM, tokenizer: Tokenizer, dim: int) -> LatentDiffusion:
    """The model of a weights file.

    Raises:
        BadWeights: the file is missing or does not fit; every tensor that does not fit is named.
    """
    model = LatentDiffusion.of(cfg, tokenizer, dim)
    weights.load_strict(model, weights.read(path), path)
    return model.eval()
