"""A source of outliers without a generator: image i shows the number i. It can be slow, and it can end in the middle."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from badood.config import Compute, Source
from badood.outliers import Given, Group, OutlierSource
from badood.pipeline.artefacts import Images
from badood.pipeline.models import Models
from badood.pipeline.stage import Context
from badood.pipeline.stages.images import Reading, images

SIZE = 16
CONTEXT = Context(Compute(device="cpu", precision="fp32"))


@dataclass
class Counting(OutlierSource):
    """`count` images in groups of `group`; `breaks` raises Ctrl-C before this row, `pause` seconds before each group."""

    count: int
    group: int = 100
    breaks: int = -1
    pause: float = 0.0

    @property
    def key(self) -> str:
        """Of the count alone: the others change no result."""
        return f"counting-{self.count}-{self.group}"

    def check(self) -> None:
        """Nothing can be wrong."""

    def fingerprint(self) -> str:
        """Nothing is read."""
        return ""

    def total(self, given: Given) -> int:
        """See `OutlierSource`."""
        return self.count

    def groups(self, given: Given, first: int) -> Iterator[Group]:
        """See `OutlierSource`."""
        for start in range(first, self.count, self.group):
            if 0 <= self.breaks <= start:
                raise KeyboardInterrupt
            time.sleep(self.pause)
            rows = np.arange(start, min(start + self.group, self.count))
            images = np.broadcast_to((rows % 251).astype(np.uint8)[:, None, None, None], (len(rows), 3, given.size, given.size))
            columns = {"number": rows, "name": [f"outlier {row}" for row in rows]}
            yield Group(images, columns, np.repeat(rows[:, None], 4, axis=1).astype(np.float32))


def id_images(folder: Path) -> Images:
    """A few ID training images, as the run keeps them."""
    if not folder.exists():
        folder.mkdir(parents=True)
        source = Source(dataset="miniworld", params={"count": 8, "size": SIZE})
        images.function(folder, Reading("train", (source,), None, SIZE), CONTEXT)
    return Images(folder)


def inputs(folder: Path, source: Counting, models: Models) -> tuple[object, ...]:
    """What the stage `outliers` takes."""
    return (source, id_images(folder), None, models.only(), SIZE)
