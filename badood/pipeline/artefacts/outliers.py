"""Outliers and what is known of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.artefacts import digest, read_json
from badood.core.rows import Rows
from badood.pipeline.artefacts.base import Artefact
from badood.pipeline.artefacts.detectors import Confidence, Harm

NO_COLUMN = "none"
"""Stands for the columns of a source that has none, so that its rows are counted."""


@dataclass(frozen=True)
class Made(Artefact):
    """The outliers of one source."""

    @property
    def count(self) -> int:
        """Number of outliers."""
        return int(pq.read_metadata(self.folder / "rows.parquet").num_rows)

    @property
    def images(self) -> Path:
        """File of (M, 3, S, S) uint8 RGB."""
        return self.folder / "images.npy"

    def table(self) -> pa.Table:
        """M rows of the source's columns."""
        told = pq.read_table(self.folder / "rows.parquet")
        return told.drop_columns([NO_COLUMN]) if NO_COLUMN in told.column_names else told

    @property
    def embeddings(self) -> NDArray[np.float32] | None:
        """(M, D) memory-mapped, where the source has them."""
        path = self.folder / "embeddings.npy"
        return np.load(path, mmap_mode="r") if path.exists() else None

    @property
    def about(self) -> dict[str, Any]:
        """`layout`: what was read, in words; `skipped`: what was left out."""
        about: dict[str, Any] = read_json(self.folder / "source.json")
        return about


@dataclass(frozen=True)
class Outliers:
    """The outliers of all sources, one source behind the other.

    Attributes:
        parts: a source's outliers, by the source's name.
    """

    parts: tuple[tuple[str, Made], ...]

    @property
    def key(self) -> str:
        """Of the sources' names and keys."""
        return digest(*[(name, made.key) for name, made in self.parts])

    def __len__(self) -> int:
        return sum(made.count for _, made in self.parts)

    @property
    def pixels(self) -> Rows:
        """(M, 3, S, S) uint8 RGB, read when asked for."""
        return Rows(tuple(made.images for _, made in self.parts))

    def table(self) -> pa.Table:
        """M rows: outlier_id (its position), source, and the columns of the sources; null where a source lacks one."""
        tables = []
        for name, made in self.parts:
            table = made.table()
            tables.append(table.add_column(0, "source", pa.array([name] * len(table), pa.string())))
        joined = pa.concat_tables(_agreed(tables), promote_options="permissive")
        return joined.add_column(0, "outlier_id", pa.array(np.arange(len(joined), dtype=np.int64)))

    def column(self, name: str) -> NDArray[Any] | None:
        """(M,) one column; none where no source has it."""
        table = self.table()
        return table[name].to_pandas().to_numpy() if name in table.column_names else None

    @property
    def sources(self) -> NDArray[np.object_]:
        """(M,) name of each outlier's source."""
        return np.repeat(np.array([name for name, _ in self.parts], dtype=object), [made.count for _, made in self.parts])


def _agreed(tables: list[pa.Table]) -> list[pa.Table]:
    """Tables of which the same columns are called the same, for databases know no capitals; what one has as texts is texts in all."""
    names: dict[str, str] = {}
    called = [[names.setdefault(name.casefold(), name) for name in table.column_names] for table in tables]
    tables = [table.rename_columns(each) for table, each in zip(tables, called, strict=True)]
    texts = {field.name for table in tables for field in table.schema if pa.types.is_string(field.type)}
    return [
        table.cast(pa.schema([field.with_type(pa.string()) if field.name in texts else field for field in table.schema]))
        for table in tables
    ]


@dataclass(frozen=True)
class Described(Artefact):
    """What the encoder says of the outliers of every source."""

    def table(self) -> pa.Table:
        """M rows: nearest_row (ID training image whose z0 is nearest), nearest_cosine (-1..1), minority_score."""
        return pq.read_table(self.folder / "described.parquet")

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(M, D) memory-mapped."""
        return np.load(self.folder / "embeddings.npy", mmap_mode="r")


@dataclass(frozen=True)
class Typed(Artefact):
    """What CLIP sees in the outliers."""

    def table(self) -> pa.Table:
        """M rows: clip_label, clip_prob, clip_anchor_prob, ood_type."""
        return pq.read_table(self.folder / "types.parquet")

    @property
    def tau(self) -> float:
        """Least probability at which an outlier counts as recognised."""
        return float(read_json(self.folder / "tau.json")["tau"])

    @property
    def temperature(self) -> float:
        """By which CLIP's probabilities were made less sure."""
        return float(read_json(self.folder / "tau.json")["temperature"])

    @property
    def vocabulary(self) -> list[str]:
        """Names CLIP chose from."""
        return list(read_json(self.folder / "tau.json")["vocabulary"])


@dataclass(frozen=True)
class Table(Artefact):
    """The outliers with all that is known of them; DESIGN "Artefacts"."""

    @property
    def path(self) -> Path:
        """Parquet file, a row an outlier, with the image."""
        return self.folder / "outliers.parquet"


def joined(outliers: Outliers, *known: Described | Confidence | Typed | Harm | None) -> pa.Table:
    """M rows of all columns but the image; a later part's column takes the place of an earlier one of its name."""
    columns = outliers.table()
    for part in known:
        told = pa.table({}) if part is None else part.table()
        for name in told.column_names:
            if name in columns.column_names:
                columns = columns.set_column(columns.column_names.index(name), name, told[name])
            else:
                columns = columns.append_column(name, told[name])
    return columns
