"""Minority guidance, the paper's synthesiser."""

from pydantic import Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.core.noise import Noise
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.ddim import ddim
from badood.synthesise.guidance import minority_guide
from badood.synthesise.rdm import RDM
from badood.synthesise.schedule import ddim_grid


@synthesiser("minority")
@dataclass(kw_only=True)
class Minority(Synthesiser):
    """Noise an anchor and denoise it with steps towards low likelihood. Source: Bad-OOD sec. 3.2.

    Attributes:
        scale: guidance scale.
        start: t, of 1000 diffusion steps, at which denoising begins.
        renoise: s, diffusion steps by which the guidance noises its clean estimate again.
        steps: S, DDIM steps of a run over the whole schedule.
        eta: randomness of DDIM, 0 = none.
        norm: of the minority score: 2 = L2, 1 = L1. samples: draws of noise over which it is averaged.
        normalise: divide gradients by their largest entry. by_variance: let guidance fade as the noise does.
        every: guide every k-th step of the grid.
    """

    scale: NonNegativeFloat = 0.05
    start: PositiveInt = 300
    renoise: PositiveInt = 125
    steps: PositiveInt = 250
    eta: float = Field(0.0, ge=0, le=1)
    norm: float = Field(2.0, ge=1)
    samples: PositiveInt = 1
    normalise: bool = True
    by_variance: bool = False
    every: PositiveInt = 1

    @property
    def t(self) -> int:
        """Diffusion step at which a run starts."""
        return self.start

    def sample(self, z0: Tensor, labels: Tensor, rdm: RDM, noise: Noise) -> Tensor:
        """(N, D) outliers of (N, D) anchors."""
        denoiser, grid = rdm.frozen(labels), ddim_grid(rdm.schedule, self.steps, self.start)
        z_t = rdm.noised(z0 * rdm.input_scale, self.start, noise.normal(z0.shape[1:], "start").to(z0))
        guide = minority_guide(
            denoiser,
            scale=self.scale,
            renoise=self.renoise,
            noise=noise,
            norm=self.norm,
            samples=self.samples,
            normalise=self.normalise,
            by_variance=self.by_variance,
        )
        return ddim(denoiser, z_t, grid, noise=noise, eta=self.eta, guide=guide if self.scale else None, every=self.every)
