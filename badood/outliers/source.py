"""What a source of outliers is, and the registry of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from badood.config import Config, Outliers
from badood.core.artefacts import digest
from badood.core.compute import Compute
from badood.core.noise import Noise
from badood.core.progress import Progress
from badood.core.registry import Registry
from badood.core.rows import Rows
from badood.data.record import Skipped
from badood.decode.pixels import PixelDiffusion
from badood.synthesise.rdm import RDM

GROUP = 1024
"""Outliers that a source hands over at a time, at most; what is in memory grows with it, and a killed source repeats no more."""

Need = Literal["encoder", "rdm", "tokenizer", "mage", "dit", "ldm", "pixels"]
"""A model of the preset that a source may use."""

_GROUP_BYTES = 2**25


class Models(Protocol):
    """The trained models that a source may use, each loaded at the first look."""

    @property
    def rdm(self) -> RDM:
        """Denoiser of z0."""

    @property
    def pixels(self) -> PixelDiffusion:
        """Denoiser of images."""

    def decode(self, z: Tensor, noise: Noise, progress: Progress | None = None) -> Tensor:
        """(N, D) embeddings -> (N, 3, S, S) uint8 images."""


@dataclass(frozen=True)
class Given:
    """What a source may use. A source without models or anchors ignores most of it.

    Attributes:
        size: S, height and width in px of the images to make.
        compute: device and dtype. progress: told of every step.
        labels: (N,) int64 class of every ID training image. classes: the names of ID classes; a label is a position in it.
        ids: N names of ID training images.
        z0: (N, D) float32 embeddings of ID training images; none where the source needs no encoder.
        models: the preset's models; none where the source needs none.
        images: (N, 3, S, S) uint8 ID training images, read when asked for by rows; none where nobody has them.
        checkpoint: file for the checkpoints of a source that trains, gone once its outliers are there; none = it keeps none.
    """

    size: int
    compute: Compute
    progress: Progress
    labels: NDArray[np.int64]
    classes: Sequence[str]
    ids: Sequence[str]
    z0: Tensor | None = None
    models: Models | None = None
    images: Rows | Tensor | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Group:
    """Some outliers of a source, in the order of their rows.

    Attributes:
        images: (n, 3, S, S) uint8 RGB.
        columns: by name n values. Known names, all optional: anchor_row (row of the ID training image; -1 = none), anchor_id, anchor_class,
            synthesiser, guidance_scale, t, s, seed, minority_score, file (where it came from). Other names are kept as they are.
        embeddings: (n, D) float32, where the source has them.
    """

    images: NDArray[np.uint8]
    columns: dict[str, Any] = field(default_factory=dict)
    embeddings: NDArray[np.float32] | None = None


Draw = Callable[[NDArray[np.int64]], Group]
"""(n,) row numbers -> their outliers; a row's outlier depends on its number alone."""


class OutlierSource(ABC):
    """Where outliers come from. Fields are its settings; construction does no work.

    Attributes:
        located: its fields that say where something lies, which is not what it is.
        shared: several workers may draw its rows, each by a `generator` of its own.
    """

    located: ClassVar[frozenset[str]] = frozenset({"path"})
    shared: ClassVar[bool] = False

    @classmethod
    def of(cls, cfg: Config, entry: Outliers) -> Self:
        """The source that an entry of the settings asks for.

        Raises:
            BadConfig: a parameter is unknown or out of range.
        """
        limit = {} if entry.count is None else {"limit": entry.count}
        made: Self = outlier_source.make(entry.source, entry.params | limit)
        return made

    @property
    def needs(self) -> frozenset[Need]:
        """Models of the preset that it uses."""
        return frozenset()

    @abstractmethod
    def check(self) -> None:
        """Whether it can begin: files that are there, parameters that fit. Quick; called before the first stage.

        Raises:
            BadInput: it cannot; names the thing and the remedy.
        """

    @property
    def key(self) -> str:
        """Of its kind, its fields and what it reads; where that lies does not count."""
        fields = {name: getattr(self, name) for name in type(self).__dataclass_fields__ if name not in self.located}  # type: ignore[attr-defined]
        return digest(type(self).__name__, fields, self.fingerprint())

    @abstractmethod
    def fingerprint(self) -> str:
        """A key of what it reads: equal for equal content, whatever the path; empty where settings and ID images decide all."""

    @abstractmethod
    def total(self, given: Given) -> int:
        """Number of outliers that it will make."""

    @abstractmethod
    def groups(self, given: Given, first: int) -> Iterator[Group]:
        """Its outliers from row `first` on, group by group; row i is the same wherever one begins.

        Args:
            first: the sum of the lengths of the groups that were taken before.
        """

    def generator(self, given: Given) -> Draw:
        """What makes the outliers of some rows, ready to draw; of a source that is `shared`."""
        raise NotImplementedError(f"{type(self).__name__} makes its outliers one group after the other.")

    def skipped(self) -> tuple[Skipped, ...]:
        """Images that were left out, and why."""
        return ()


def row_groups(total: int, first: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Rows from `first` on, a group at a time; groups begin at the same rows wherever one goes on.

    Args:
        total: number of outliers. size: of their images in px.
    """
    most = group_rows(size)
    for start in range(first // most * most, total, most):
        rows = np.arange(max(start, first), min(start + most, total))
        if len(rows):
            yield rows


def group_rows(size: int) -> int:
    """Outliers made at a time at a size in px: about 32 MB of images, 128 to 2,048."""
    return max(128, min(2048, _GROUP_BYTES // (3 * size * size)) // 128 * 128)


outlier_source: Registry[type[OutlierSource]] = Registry("outlier source", "badood.outliers")
"""By name: embedded, imported, ..."""
