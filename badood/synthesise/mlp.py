"""RCG's residual MLP. Names of parameters are the published ones. Source: RCG rdm/modules/diffusionmodules/latentmlp.py."""

import math

import torch
from torch import Tensor, nn


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Sinusoids of (N,) diffusion steps: (N, width) float32, cosines first, then sines, a zero column where the width is odd."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t[:, None].float() * frequencies
    embedding = torch.cat([angles.cos(), angles.sin()], dim=1)
    return nn.functional.pad(embedding, (0, width % 2))


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that starts as zero, so that its block starts as the identity."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """Adds to x what two linear layers make of it and of a term for time and class."""

    def __init__(self, width: int, hidden: int, time_width: int, context_width: int | None) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, hidden))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_width, hidden))
        # an empty slot where the original has its unused dropout keeps the published numbering
        self.out_layers = nn.Sequential(nn.LayerNorm(hidden), nn.SiLU(), nn.Identity(), zero_linear(hidden, width))
        if context_width is not None:
            self.context_layers = nn.Sequential(nn.SiLU(), nn.Linear(context_width, hidden))

    def forward(self, x: Tensor, term: Tensor) -> Tensor:
        """(N, width) and (N or 1, hidden) -> (N, width)."""
        return x + self.out_layers(self.in_layers(x) + term)


class SimpleMLP(nn.Module):
    """The network of the RDM: (N, D) noisy embeddings -> (N, D) clean ones.

    Args:
        dim: D. width: of the residual stream. blocks: number of residual blocks. time_width: of the time embedding.
        hidden: width inside a block; None = width. out: width of the result; None = dim.
        context_width: of the class context; None = the network takes none.
    """

    def __init__(
        self,
        dim: int,
        *,
        width: int,
        blocks: int,
        time_width: int,
        hidden: int | None = None,
        out: int | None = None,
        context_width: int | None = None,
    ) -> None:
        super().__init__()
        self.width = width
        self.time_embed = nn.Sequential(nn.Linear(width, time_width), nn.SiLU(), nn.Linear(time_width, time_width))
        self.input_proj = nn.Linear(dim, width)
        self.res_blocks = nn.ModuleList(ResidualBlock(width, hidden or width, time_width, context_width) for _ in range(blocks))
        self.out = nn.Sequential(nn.LayerNorm(width, eps=1e-6), nn.SiLU(), zero_linear(width, out or dim))

    def time_terms(self, t: Tensor) -> list[Tensor]:
        """What the diffusion step adds inside each block: (N,) int64 -> a (N, hidden) tensor a block."""
        time = self.time_embed(timestep_embedding(t, self.width))
        return [block.emb_layers(time) for block in self._blocks()]

    def context_terms(self, context: Tensor) -> list[Tensor]:
        """What the class adds inside each block: (N, context_width) -> a (N, hidden) tensor a block."""
        return [block.context_layers(context) for block in self._blocks()]

    def denoise(self, x: Tensor, terms: list[Tensor]) -> Tensor:
        """(N, D) with the terms of time and class -> (N, out)."""
        x = self.input_proj(x)
        for block, term in zip(self._blocks(), terms, strict=True):
            x = block(x, term)
        return self.out(x)

    def forward(self, x: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, D), (N,) int64 and, for a conditional network, (N, context_width) -> (N, out)."""
        terms = self.time_terms(t)
        if context is not None:
            terms = [time + given for time, given in zip(terms, self.context_terms(context), strict=True)]
        return self.denoise(x, terms)

    def _blocks(self) -> list[ResidualBlock]:
        return [block for block in self.res_blocks if isinstance(block, ResidualBlock)]
