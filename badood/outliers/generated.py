"""Sources that make images themselves, row by row."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.config import Config, Outliers
from badood.core.errors import BadInput
from badood.decode.pixels import PixelDiffusion
from badood.outliers.source import Draw, Given, Group, OutlierSource, outlier_source, row_groups


@dataclass(config=ConfigDict(extra="forbid"), kw_only=True)
class Generated(OutlierSource):
    """A generator of outlier images.

    Attributes:
        limit: number of outliers; a run's `synthesise.count` where its entry has no `count`.
        seed: with a row's number it decides every draw.
    """

    shared = True
    limit: PositiveInt
    seed: NonNegativeInt = 0

    @classmethod
    def of(cls, cfg: Config, entry: Outliers) -> Self:
        """See `OutlierSource.of`."""
        count = entry.count or entry.params.get("limit", cfg.synthesise.count)
        made: Self = outlier_source.make(entry.source, entry.params | {"limit": count})
        return made

    def check(self) -> None:
        """See `OutlierSource.check`. Weights of the preset's models are looked for by the run."""

    def fingerprint(self) -> str:
        """See `OutlierSource.fingerprint`. The key of the preset's models is the run's matter."""
        return ""

    def total(self, given: Given) -> int:
        """See `OutlierSource.total`."""
        return self.limit

    def groups(self, given: Given, first: int) -> Iterator[Group]:
        """See `OutlierSource.groups`."""
        if first == self.limit:  # a generator that trains has nothing left to train for
            return
        draw = self.generator(given)
        for rows in row_groups(self.limit, first, given.size):
            yield draw(rows)

    @abstractmethod
    def generator(self, given: Given) -> Draw:
        """See `OutlierSource.generator`."""


def drawn(given: Given, rows: NDArray[np.int64], sample: Callable[[NDArray[np.int64]], Tensor], bytes_per_image: int) -> NDArray[np.uint8]:
    """Images of some rows in batches that memory allows, without gradient, under the run's precision.

    Args:
        sample: (n,) row numbers -> (n, 3, S, S) uint8. bytes_per_image: what one row takes meanwhile.
    """
    batch = given.compute.batch_size(bytes_per_image, len(rows))
    images = given.compute.map(
        lambda part: sample(part.cpu().numpy()), torch.from_numpy(rows), batch, stage="generate", progress=given.progress
    )
    return images.numpy()


def pixel_model(given: Given) -> PixelDiffusion:
    """The preset's diffusion model in pixels.

    Raises:
        BadInput: it is one of another number of classes than the ID images have.
    """
    assert given.models is not None
    model = given.models.pixels
    if model.classes != len(given.classes):
        raise BadInput(
            f"the diffusion model in pixels knows {model.classes} classes, and the ID images have {len(given.classes)}; train one on these images "
            "(`python -m badood train pixels`), into a file of its own (pixels.weights)."
        )
    return model
