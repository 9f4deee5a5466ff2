"""The sampler: from a noisy embedding to a clean one in a few large steps. Source: Song et al. 2021; RCG's DDIMSampler."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from badood.core.noise import Noise
from badood.synthesise.rdm import Denoiser
from badood.synthesise.schedule import Step

Guide = Callable[[Tensor, Tensor, Step], Tensor]
"""(z_t, estimate of z0, step) -> what is added to the step's mean, all (N, D).

`z_t` requires grad and the estimate carries its graph, so that a guide can differentiate what the sampler has computed anyway.
"""


@dataclass(frozen=True)
class Moment:
    """Where a run stands after a step.

    Attributes:
        step: the step just taken.
        z: (N, D) embeddings after it.
        clean: (N, D) estimate of z0 made before it.
    """

    step: Step
    z: Tensor
    clean: Tensor


def mean_after(step: Step, z_t: Tensor, clean: Tensor, spread: float) -> Tensor:
    """Mean of the embeddings after a step, (N, D); eq. 12 of Song et al.

    Args:
        spread: standard deviation of what the step adds. At the root of `step.variance` this is the ancestral sampler's mean.
    """
    noise = (z_t - step.alpha**0.5 * clean) / (1 - step.alpha) ** 0.5
    return step.alpha_prev**0.5 * clean + max(0.0, 1 - step.alpha_prev - spread**2) ** 0.5 * noise


def ddim_moments(
    denoiser: Denoiser, z_t: Tensor, grid: Sequence[Step], *, noise: Noise, eta: float = 0.0, guide: Guide | None = None, every: int = 1
) -> Iterator[Moment]:
    """The run step by step, in the denoiser's scale; see `ddim`."""
    for step in grid:
        acting = guide if step.index % every == 0 else None
        with torch.set_grad_enabled(acting is not None):
            z_t = z_t.detach().requires_grad_(acting is not None)
            clean = denoiser.clean(z_t, step.t)
        shift = acting(z_t, clean, step) if acting else 0.0
        z_t, clean = z_t.detach(), clean.detach()
        spread = eta * step.variance**0.5
        z_t = mean_after(step, z_t, clean, spread) + shift
        if spread > 0:
            z_t = z_t + spread * noise.normal(z_t.shape[1:], "ddim", step.index).to(z_t)
        yield Moment(step, z_t, clean)


def ddim(
    denoiser: Denoiser, z_t: Tensor, grid: Sequence[Step], *, noise: Noise, eta: float = 0.0, guide: Guide | None = None, every: int = 1
) -> Tensor:
    """Embeddings at the end of a DDIM run.

    Args:
        z_t: (N, D) at the noise level of the grid's first step, in the denoiser's scale.
        grid: from `ddim_grid`. noise: of the N rows.
        eta: 0 = deterministic, 1 = as random as the ancestral sampler.
        guide: added to the mean of every `every`-th step of the grid, counted from its clean end.

    Returns:
        (N, D) float32, without graph, in the scale of z0.
    """
    for moment in ddim_moments(denoiser, z_t, grid, noise=noise, eta=eta, guide=guide, every=every):
        z_t = moment.z
    return z_t / denoiser.input_scale
