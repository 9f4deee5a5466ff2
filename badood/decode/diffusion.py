"""What diffusion models of images and of latents share: noise levels, sampling, loss. Source: Ho et al. 2020; Song et al. 2021; Salimans & Ho 2022."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from badood.config import LDM, Pixels

if TYPE_CHECKING:
    from diffusers import DDIMScheduler

# diffusers is imported where it is needed: it takes seconds, and few runs draw from these models

STEPS = 1000
"""T, diffusion steps."""

Predict = Callable[[Tensor, Tensor], Tensor]
"""(x_t (N, C, S, S), t (N,) int64) -> velocity of the same shape."""


def unet(cfg: Pixels | LDM, side: int, channels: int, **classes: Any) -> nn.Module:
    """The U-Net of diffusers, with attention at the coarsest level.

    Args:
        side, channels: of its input and output. classes: how diffusers' network takes its condition.
    """
    from diffusers import UNet2DModel

    plain = len(cfg.multipliers) - 1
    made: nn.Module = UNet2DModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=cfg.blocks,
        block_out_channels=[cfg.channels * each for each in cfg.multipliers],
        down_block_types=[*["DownBlock2D"] * plain, "AttnDownBlock2D"],
        up_block_types=["AttnUpBlock2D", *["UpBlock2D"] * plain],
        norm_num_groups=cfg.groups,
        **classes,
    )
    return made


class Diffusion(nn.Module):
    """A model that says the velocity of what is noisy (Salimans & Ho 2022), under a squared-cosine schedule (Nichol & Dhariwal 2021).

    Attributes:
        bounded: what is clean lies in -1 to 1, and so is clipped to it at every step.
    """

    bounded: ClassVar[bool]

    @cached_property
    def schedule(self) -> "DDIMScheduler":
        """Noise levels, and DDIM's step from one to the next."""
        from diffusers import DDIMScheduler

        return DDIMScheduler(
            num_train_timesteps=STEPS,
            beta_schedule="squaredcos_cap_v2",
            prediction_type="v_prediction",
            timestep_spacing="trailing",
            clip_sample=self.bounded,
        )

    def levels(self, steps: int, start: int = STEPS) -> list[int]:
        """Diffusion steps that a sampler visits, the noisiest first: those below `start` of `steps` evenly spread ones, at least the last."""
        self.schedule.set_timesteps(steps)
        spread: list[int] = self.schedule.timesteps.tolist()
        return [t for t in spread if t < start] or spread[-1:]

    def denoised(
        self, predict: Predict, x_t: Tensor, steps: int, start: int = STEPS, after: Callable[[Tensor, int], Tensor] | None = None
    ) -> Tensor:
        """What a DDIM run without randomness ends with (Song et al. 2021).

        Args:
            predict: velocity at a step, with whatever guidance. x_t: (N, C, S, S) at the noise of the first level.
            steps, start: as `levels` takes them.
            after: changes x at the end of a step, (x, diffusion step that it is at; -1 = clean).

        Returns:
            (N, C, S, S) float32.
        """
        levels = self.levels(steps, start)
        for index, t in enumerate(levels):
            velocity = predict(x_t, torch.full((len(x_t),), t, device=x_t.device))
            x_t = self.schedule.step(velocity, t, x_t).prev_sample
            if after is not None:
                x_t = after(x_t, levels[index + 1] if index + 1 < len(levels) else -1)
        return x_t

    def error(self, x: Tensor, predict: Predict) -> Tensor:
        """Mean squared error of the velocity at a uniform random step, of clean (N, C, S, S)."""
        t, noise = torch.randint(STEPS, (len(x),), device=x.device), torch.randn_like(x)
        goal = self.schedule.get_velocity(x, noise, t)
        return F.mse_loss(predict(self.schedule.add_noise(x, noise, t), t), goal)
