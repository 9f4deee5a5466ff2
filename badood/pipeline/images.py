"""The images of a run, each set read once and kept as uint8."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from badood.config import Config
from badood.data.record import ImageSet, concatenate
from badood.data.splits import load, load_optional, split_validation


@dataclass(frozen=True)
class Images:
    """ID and OOD images of a config; nothing is read before it is asked for.

    `train` and `validation` are disjoint parts of the ID training images; `test`, `ood` and `grid` only report.
    """

    cfg: Config

    @property
    def base(self) -> Path | None:
        """Where relative paths of the OOD sources start: the ID data's folder."""
        path = self.cfg.data.train.path
        return Path(path) if path else None

    @cached_property
    def all_train(self) -> ImageSet:
        """Every ID training image: the encoder, the RDM, the tokenizer, MAGE and CLIP learn from them."""
        return load(self.cfg.data.train, None)

    @cached_property
    def _split(self) -> tuple[ImageSet, ImageSet]:
        return split_validation(self.all_train, self.cfg.data.validation_share, self.cfg.seed)

    @cached_property
    def train(self) -> ImageSet:
        """ID images the detector learns from; the outliers' anchors are among them."""
        return self._split[0]

    @cached_property
    def validation(self) -> ImageSet:
        """ID images the detector never saw: calibration, tau, band choice."""
        return self._split[1]

    @cached_property
    def test(self) -> ImageSet:
        """ID test images."""
        return load(self.cfg.data.test, None)

    @cached_property
    def auxiliary(self) -> ImageSet:
        """Semantic OOD for calibration and band choice, disjoint from every test set; labels are positions of its sets."""
        return concatenate("auxiliary", load_optional(self.cfg.data.auxiliary, self.base))

    @cached_property
    def ood(self) -> dict[str, ImageSet]:
        """OOD test sets by name."""
        sets = load_optional(self.cfg.data.ood, self.base)
        return {images.name: images for images in sets}

    @cached_property
    def grid(self) -> ImageSet | None:
        """The 8 x 8 grid of shift levels, where the preset has one."""
        found = load_optional([self.cfg.data.grid], self.base) if self.cfg.data.grid else []
        return found[0] if found else None

    def pixels(self, images: ImageSet) -> Tensor:
        """(N, 3, S, S) uint8 at the size the preset keeps images."""
        return images.pixels(self.cfg.data.image_size)

    def skipped(self) -> list[dict[str, str]]:
        """Images that were left out, with reasons; once each, though training and test images may be of one folder."""
        found = {
            (part.name.partition("/")[0], entry.path): {"set": part.name, "path": entry.path, "reason": entry.reason}
            for part in (self.all_train, self.test, self.auxiliary, *self.ood.values())
            for entry in part.skipped
        }
        return list(found.values())


def anchors(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count,) rows of ID images that outliers start from, as evenly over the classes as can be.

    Rows repeat only where `count` exceeds the number of images.
    """
    rng = np.random.default_rng([seed, 0xA2C])
    position = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        position[rng.permutation(rows)] = np.arange(len(rows))
    # the first of every class, then the second of every class, ...
    order = np.lexsort((labels, position))
    return np.sort(np.resize(order, count))
