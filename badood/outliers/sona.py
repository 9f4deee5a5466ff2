"""SONA: ID images with their own nuisances and the semantics of another class."""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.decode.diffusion import STEPS
from badood.decode.pixels import PixelDiffusion, to_uint8
from badood.outliers.embedded import anchors
from badood.outliers.generated import Generated, drawn, pixel_model
from badood.outliers.source import Draw, Given, Group, Need, outlier_source


@outlier_source("sona")
@dataclass(config=ConfigDict(extra="forbid"), kw_only=True)
class SONA(Generated):
    """An ID image, noised part of the way and denoised away from its class, towards another one. Source: Yoon et al. 2025.

    As there, guidance differs by region: where the two classes disagree most about a noisy image lie its semantics, and they move; the rest
    are nuisances, and keep to the ID image. There, Stable Diffusion follows prompts, guidance weighs three terms of them, and regions come
    from their attention; here the preset's small model `pixels` is given classes, the other class is drawn at random, and nuisances are
    the ID image's own pixels at the noise of each step (Avrahami et al. 2022).

    Attributes:
        guidance: scale of the step from the image's own class to the other one; 0 = denoised without regard to classes.
        start: t, of 1,000 diffusion steps, to which the ID image is noised: the larger, the less of it is left.
        region: share of the pixels that may move; 1 = all.
        steps: sampling steps of a run over all 1,000; those below `start` are taken.
    """

    guidance: NonNegativeFloat = 3.0
    start: PositiveInt = Field(700, le=STEPS)
    region: float = Field(0.5, gt=0, le=1)
    steps: PositiveInt = Field(50, le=STEPS)

    @property
    def needs(self) -> frozenset[Need]:
        """See `OutlierSource`."""
        return frozenset({"pixels"})

    def generator(self, given: Given) -> Draw:
        """See `Generated.generator`.

        Raises:
            BadInput: there are no ID images of two classes.
        """
        assert given.images is not None
        model, chosen = pixel_model(given), anchors(given.labels, self.limit, self.seed)
        present = np.unique(given.labels)
        if len(present) < 2:
            raise BadInput("sona moves ID images from one class to another, and the ID images are all of one class; give images of two.")
        first, images = model.levels(self.steps, self.start)[0], given.images

        def targets(rows: NDArray[np.int64]) -> NDArray[np.int64]:
            """Of each row a class that is not its anchor's."""
            own = np.searchsorted(present, given.labels[chosen[rows]])
            further = 1 + (Noise(self.seed, rows).uniform((), "class").numpy() * (len(present) - 1)).astype(np.int64)
            return present[(own + further) % len(present)]

        def sample(rows: NDArray[np.int64]) -> Tensor:
            anchor = torch.from_numpy(chosen[rows])
            image = model.as_input(given.compute.put(images[anchor]))
            own, other = (given.compute.put(torch.from_numpy(each)) for each in (given.labels[chosen[rows]], targets(rows)))
            noise = given.compute.put(Noise(self.seed, rows).normal(image.shape[1:], "image"))
            return to_uint8(self._moved(model, image, noise, (own, other)), given.size)

        def draw(rows: NDArray[np.int64]) -> Group:
            anchor, names = chosen[rows], np.asarray(given.classes, dtype=object)
            return Group(
                # an image is seen with both classes and with none
                drawn(given, rows, sample, 3 * model.bytes_per_image()),
                {
                    "anchor_row": anchor,
                    "anchor_id": np.asarray(given.ids, dtype=object)[anchor],
                    "anchor_class": names[given.labels[anchor]],
                    "target_class": names[targets(rows)],
                    "guidance_scale": np.full(len(rows), self.guidance),
                    "t": np.full(len(rows), first),
                    "seed": np.full(len(rows), self.seed),
                },
            )

        return draw

    def _moved(self, model: PixelDiffusion, image: Tensor, noise: Tensor, labels: tuple[Tensor, Tensor]) -> Tensor:
        """(N, 3, S, S) images at the end of the run; labels: (N,) of their own classes and of the others."""
        nuisance = torch.zeros_like(image[:, :1], dtype=torch.bool)
        asked = torch.cat([*labels, torch.full_like(labels[0], model.classes)])

        def noised(t: int) -> Tensor:
            return model.schedule.add_noise(image, noise, torch.tensor([t], device=image.device)) if t >= 0 else image

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            nonlocal nuisance
            own, other, plain = model.velocity(x_t.repeat(3, 1, 1, 1), t.repeat(3), asked).chunk(3)
            nuisance = ~semantic(other - own, self.region)
            return plain + self.guidance * (other - own)

        first = noised(model.levels(self.steps, self.start)[0])
        return model.denoised(predict, first, self.steps, self.start, after=lambda x, t: torch.where(nuisance, noised(t), x))


def semantic(difference: Tensor, share: float) -> Tensor:
    """Where two classes disagree most about an image.

    Args:
        difference: (N, C, H, W) of what a model says for the two. share: of the pixels, in (0, 1].

    Returns:
        (N, 1, H, W) bool, true at about this share of each image.
    """
    much = F.avg_pool2d(difference.abs().mean(1, keepdim=True), 5, stride=1, padding=2)
    return much >= much.flatten(1).quantile(1 - share, dim=1)[:, None, None, None]
