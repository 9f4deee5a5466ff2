"""How much noise a diffusion step holds, and which steps a sampler visits. Source: RCG rdm/util.py and rdm/models/diffusion/ddim.py."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from badood.core.errors import BadInput

STEPS = 1000
"""T, diffusion steps of the published RDM."""


def rdm_betas(steps: int = STEPS, first: float = 0.0015, last: float = 0.0195) -> Tensor:
    """(T,) float64 noise variances, linear in the square root; RCG calls this schedule "linear"."""
    return torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2


@dataclass(frozen=True)
class Schedule:
    """A Gaussian diffusion. Tables are (T,) float64 on the CPU; results take dtype and device of the embeddings they act on.

    Attributes:
        betas: (T,) float64, noise variance of each step.
    """

    betas: Tensor

    def __len__(self) -> int:
        return len(self.betas)

    @cached_property
    def alphas_cumprod(self) -> Tensor:
        """Share of the signal's variance that is left at each step."""
        return (1 - self.betas).cumprod(0)

    @cached_property
    def alphas_cumprod_prev(self) -> Tensor:
        """The same one step earlier; 1 before the first."""
        return torch.cat([self.alphas_cumprod.new_ones(1), self.alphas_cumprod[:-1]])

    @cached_property
    def posterior_variance(self) -> Tensor:
        """Variance of z_(t-1) given z_t and z0."""
        return self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    def noised(self, z0: Tensor, t: int | Tensor, noise: Tensor) -> Tensor:
        """z_t: (N, D) clean embeddings under (N, D) standard normal `noise`; `t` is one step or (N,) int64."""
        return rows(self.alphas_cumprod.sqrt(), t, z0) * z0 + rows((1 - self.alphas_cumprod).sqrt(), t, z0) * noise


def rows(table: Tensor, t: int | Tensor, like: Tensor) -> Tensor:
    """Entries of a (T,) table as scalar for one step or (N, 1) for (N,) steps, with the dtype and device of `like`."""
    picked = table[t] if isinstance(t, int) else table[t.cpu()][:, None]
    return picked.to(like)


@dataclass(frozen=True)
class Step:
    """One step of a sampler.

    Attributes:
        index: position in the ascending grid; 0 is taken last.
        t: diffusion step at which the network is asked.
        alpha: alphas_cumprod at `t`.
        alpha_prev: alphas_cumprod where the step ends.
    """

    index: int
    t: int
    alpha: float
    alpha_prev: float

    @property
    def variance(self) -> float:
        """Of the ancestral step between the two noise levels; DDIM's with eta 1."""
        return (1 - self.alpha_prev) / (1 - self.alpha) * (1 - self.alpha / self.alpha_prev)


def ddim_timesteps(total: int, wanted: int) -> list[int]:
    """RCG's grid: every (T // S)-th step from 0 on, each plus 1, ascending; more than S of them where S does not divide T.

    Raises:
        BadInput: S is not in 1..T, or the grid would leave the schedule.
    """
    if not 1 <= wanted <= total:
        raise BadInput(f"{wanted} sampling steps do not fit a schedule of {total}; take between 1 and {total // 2}.")
    timesteps = [t + 1 for t in range(0, total, total // wanted)]
    if timesteps[-1] >= total:
        raise BadInput(
            f"a grid of {wanted} sampling steps reaches step {timesteps[-1]}, but the schedule ends at {total - 1}; "
            f"take a divisor of {total} up to {total // 2}."
        )
    return timesteps


def ddim_grid(schedule: Schedule, wanted: int, start: int | None = None) -> list[Step]:
    """The steps of a DDIM run in the order they are taken.

    Args:
        wanted: S, steps of a run over the whole schedule.
        start: t from which to begin; it takes the place of the grid's nearest step below, so that the first estimate is made
            at the very noise level of z_t. None begins at the grid's end, at pure noise.

    Raises:
        BadInput: S or t does not fit the schedule.
    """
    timesteps = ddim_timesteps(len(schedule), wanted)
    if start is not None:
        if not 1 <= start < len(schedule):
            raise BadInput(f"start is {start}, expected a diffusion step in 1..{len(schedule) - 1}.")
        timesteps = [*[t for t in timesteps if t <= start][:-1], start]
    # RCG ends at the noise level of index 0, not at zero noise
    levels = schedule.alphas_cumprod[[0, *timesteps]].tolist()
    steps = [Step(index, t, levels[index + 1], levels[index]) for index, t in enumerate(timesteps)]
    return steps[::-1]
