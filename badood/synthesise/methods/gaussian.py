"""Isotropic noise in place of guidance, the paper's baseline."""

from pydantic import Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.core.noise import Noise
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.ddim import ddim
from badood.synthesise.rdm import RDM
from badood.synthesise.schedule import Step, ddim_grid


@synthesiser("gaussian")
@dataclass(kw_only=True)
class Gaussian(Synthesiser):
    """Noise an anchor and denoise it, adding Gaussian noise at every step. Source: Bad-OOD Table 6.

    Attributes:
        scale: standard deviation of what a step adds.
        start: t, of 1000 diffusion steps, at which denoising begins.
        steps: S, DDIM steps of a run over the whole schedule.
        eta: randomness of DDIM itself, 0 = none.
    """

    scale: NonNegativeFloat = 0.05
    start: PositiveInt = 300
    steps: PositiveInt = 250
    eta: float = Field(0.0, ge=0, le=1)

    @property
    def t(self) -> int:
        """Diffusion step at which a run starts."""
        return self.start

    def sample(self, z0: Tensor, labels: Tensor, rdm: RDM, noise: Noise) -> Tensor:
        """(N, D) outliers of (N, D) anchors."""

        def push(z_t: Tensor, clean: Tensor, step: Step) -> Tensor:
            return self.scale * noise.normal(clean.shape[1:], "push", step.index).to(clean)

        grid = ddim_grid(rdm.schedule, self.steps, self.start)
        z_t = rdm.noised(z0 * rdm.input_scale, self.start, noise.normal(z0.shape[1:], "start").to(z0))
        return ddim(rdm.frozen(labels), z_t, grid, noise=noise, eta=self.eta, guide=push)
