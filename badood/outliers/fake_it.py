"""Fake-it: samples of a diffusion model whose training was stopped early."""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.core.noise import Noise
from badood.decode.diffusion import STEPS
from badood.decode.pixels import to_uint8
from badood.outliers.generated import Generated, drawn, pixel_model
from badood.outliers.source import Draw, Given, Group, Need, outlier_source


@outlier_source("fake_it")
@dataclass(config=ConfigDict(extra="forbid"), kw_only=True)
class FakeIt(Generated):
    """Near-OOD images: what a diffusion model that is not done learning takes for ID images. Source: Mirzaei et al. 2022.

    As there, it is the training that stops early, not the sampling: the weights are those of the preset's model `pixels` at the share
    `pixels.early` of its training. There, an SDE of Song et al. 2021 without classes is stopped by its FID, and sampled with randomness
    in every step; here a small class-conditional model is sampled by DDIM, each outlier for the class of an ID image drawn at random.

    Attributes:
        steps: sampling steps.
    """

    steps: PositiveInt = Field(50, le=STEPS)

    @property
    def needs(self) -> frozenset[Need]:
        """See `OutlierSource`."""
        return frozenset({"pixels"})

    def generator(self, given: Given) -> Draw:
        """See `Generated.generator`."""
        model = pixel_model(given)
        shape = (3, model.image_size, model.image_size)

        def labels(rows: NDArray[np.int64]) -> NDArray[np.int64]:
            chosen = Noise(self.seed, rows).uniform((), "class").numpy()
            return given.labels[(chosen * len(given.labels)).astype(np.int64)]

        def sample(rows: NDArray[np.int64]) -> Tensor:
            label = given.compute.put(torch.from_numpy(labels(rows)))
            x = given.compute.put(Noise(self.seed, rows).normal(shape, "image"))
            return to_uint8(model.denoised(lambda x_t, t: model.velocity(x_t, t, label, early=True), x, self.steps), given.size)

        def draw(rows: NDArray[np.int64]) -> Group:
            names = np.asarray(given.classes, dtype=object)[labels(rows)]
            return Group(drawn(given, rows, sample, model.bytes_per_image()), {"class_name": names, "seed": np.full(len(rows), self.seed)})

        return draw
