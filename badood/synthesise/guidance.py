"""Minority score and minority guidance: towards embeddings the model can hardly restore. Source: paper sec. 3.2; Um & Ye 2024."""

import torch
from torch import Tensor

from badood.core.noise import Noise
from badood.synthesise.ddim import Guide
from badood.synthesise.rdm import Denoiser
from badood.synthesise.schedule import Step


def restored(denoiser: Denoiser, z0: Tensor, renoise: int, noise: Tensor) -> Tensor:
    """z0, in the denoiser's scale, under `noise` at step `renoise`, cleaned again: (N, D)."""
    return denoiser.clean(denoiser.schedule.noised(z0, renoise, noise), renoise)


def distance(first: Tensor, second: Tensor, norm: float) -> Tensor:
    """(N,) distance of (N, D) rows: L2 with norm 2, L1 with norm 1."""
    return torch.linalg.vector_norm(first - second, ord=norm, dim=1)


@torch.no_grad()
def minority_score(denoiser: Denoiser, z0: Tensor, renoise: int, noise: Noise, *, norm: float = 2.0, samples: int = 1) -> Tensor:
    """How badly the model restores embeddings: higher is less likely. Source: Bad-OOD eq. 1.

    Args:
        z0: (N, D) clean embeddings. renoise: s, diffusion steps of noise. noise: of the N rows.
        samples: draws of noise over which the distance is averaged.

    Returns:
        (N,) float32, >= 0, on the embeddings' device.
    """
    draws = [noise.normal(z0.shape[1:], "score", draw).to(z0) for draw in range(samples)]
    scaled = z0 * denoiser.input_scale
    distances = [distance(scaled, restored(denoiser, scaled, renoise, draw), norm) for draw in draws]
    return torch.stack(distances).mean(0) / denoiser.input_scale


def normalised(gradient: Tensor, least: float = 1e-12) -> Tensor:
    """Rows over their largest absolute entry: (N, D) in [-1, 1].

    Args:
        least: the divisor's least value, which keeps a zero row zero; with 0 a zero row becomes NaN, as in the original.
    """
    return gradient / gradient.abs().amax(dim=1, keepdim=True).clamp_min(least)


def minority_guide(
    denoiser: Denoiser,
    *,
    scale: float,
    renoise: int,
    noise: Noise,
    norm: float = 2.0,
    samples: int = 1,
    normalise: bool = True,
    by_variance: bool = False,
) -> Guide:
    """A step towards low likelihood. Source: Bad-OOD eq. 2; Um & Ye 2024.

    Args:
        scale: guidance scale. renoise: s, diffusion steps by which the clean estimate is noised again.
        norm: of the distance. samples: draws of noise.
        normalise: divide each row's gradient by its largest absolute entry, so that no entry moves by more than `scale`.
        by_variance: multiply by the variance of the ancestral step, so that guidance fades as the noise does.
    """

    def guide(z_t: Tensor, clean: Tensor, step: Step) -> Tensor:
        # The second estimate is a fixed target, so the one graph needed is that of the first
        with torch.no_grad():
            draws = [noise.normal(clean.shape[1:], "renoise", step.index, draw).to(clean) for draw in range(samples)]
            targets = [restored(denoiser, clean, renoise, draw) for draw in draws]
        score = torch.stack([distance(clean, target, norm) for target in targets]).mean(0)
        (gradient,) = torch.autograd.grad(score.sum(), z_t)
        return scale * (step.variance if by_variance else 1.0) * (normalised(gradient) if normalise else gradient)

    return guide
