"""Image sets, and what encoder and tokenizer make of the ID training images."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.artefacts import read_json
from badood.core.rows import Rows
from badood.data.record import ImageSet, Skipped
from badood.pipeline.artefacts.base import Artefact


@dataclass(frozen=True)
class Images(Artefact):
    """An image set as the run keeps it: decoded once, at the preset's size. Its key is its content, wherever it was read from.

    Attributes:
        part: "train" or "validation" where `split` names a division of the rows, else none.
        split: folder of `Split`.
    """

    part: str | None = None
    split: Path | None = None

    @cached_property
    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = read_json(self.folder / "set.json")
        return about

    @property
    def key(self) -> str:
        """Of pixels, labels, names and classes; and of which rows."""
        return str(self._about["content"]) + ("" if self.split is None else f"-{self.part}-{self.split.name}")

    @property
    def name(self) -> str:
        """For tables and messages."""
        return str(self._about["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is a position in it."""
        return tuple(self._about["classes"])

    @property
    def usual_size(self) -> tuple[int, int]:
        """Width and height in px that most images had before they were resized."""
        width, height = self._about["usual_size"]
        return int(width), int(height)

    @property
    def skipped(self) -> list[dict[str, Any]]:
        """What was left out: path, reason, count, kind."""
        return list(self._about["skipped"])

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(N,) rows of the file that belong to this part."""
        if self.split is None:
            return np.arange(pq.read_metadata(self.folder / "rows.parquet").num_rows, dtype=np.int64)
        return np.load(self.split / f"{self.part}.npy")

    @cached_property
    def _table(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "rows.parquet").iloc[self.rows].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pixels(self) -> Rows:
        """(N, 3, S, S) uint8 RGB, read when asked for."""
        return Rows((self.folder / "images.npy",), None if self.split is None else self.rows)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) int64."""
        return self._table["label"].to_numpy(np.int64, copy=True)

    @property
    def ids(self) -> "pd.Series[str]":
        """(N,) names for people: a path, or set and row number."""
        return self._table["id"]

    @property
    def levels(self) -> dict[str, NDArray[np.float64]]:
        """Named (N,) arrays of ground truth that only rendered sets have, such as "semantic" and "covariate"."""
        return {str(name): self._table[name].to_numpy(np.float64) for name in self._table if name not in ("label", "id")}

    def as_set(self) -> ImageSet:
        """As the record that readers of data make."""
        pixels = self.pixels
        return ImageSet(
            self.name,
            self.classes,
            self.labels,
            lambda row: pixels.array([row])[0].transpose(1, 2, 0),
            tuple(self.ids),
            tuple(Skipped(**entry) for entry in self.skipped),
            self.levels,
        )


@dataclass(frozen=True)
class Encoded(Artefact):
    """Embeddings of the ID training images."""

    @property
    def z0(self) -> NDArray[np.float32]:
        """(N, D) memory-mapped, every row with mean 0 and standard deviation 1."""
        return np.load(self.folder / "z0.npy", mmap_mode="r")


@dataclass(frozen=True)
class Rebuilt(Artefact):
    """The tokenizer's reconstruction of every ID training image."""

    @property
    def pixels(self) -> Rows:
        """(N, 3, S, S) uint8 RGB, read when asked for."""
        return Rows((self.folder / "images.npy",))
