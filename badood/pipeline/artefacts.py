"""What stages hand on: small frozen classes over finished folders. Nobody else reads these folders by file name."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.calibrate import Calibrator, from_dict
from badood.core.artefacts import digest, read_json
from badood.core.rows import Rows
from badood.data.record import ImageSet, Skipped
from badood.filter import Selection

OURS = "bad-ood"
"""Name of our own score, 1 - id_confidence, beside the baselines."""


@dataclass(frozen=True)
class Artefact:
    """A finished folder that never changes.

    Attributes:
        folder: its name is its key.
    """

    folder: Path

    @property
    def key(self) -> str:
        """Equal for equal content."""
        return self.folder.name


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
    def skipped(self) -> list[dict[str, Any]]:
        """What was left out: path, reason, count."""
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
        return pq.read_table(self.folder / "rows.parquet")

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
        joined = pa.concat_tables(tables, promote_options="permissive")
        return joined.add_column(0, "outlier_id", pa.array(np.arange(len(joined), dtype=np.int64)))

    def column(self, name: str) -> NDArray[Any] | None:
        """(M,) one column; none where no source has it."""
        table = self.table()
        return table[name].to_pandas().to_numpy() if name in table.column_names else None

    @property
    def sources(self) -> NDArray[np.object_]:
        """(M,) name of each outlier's source."""
        return np.repeat(np.array([name for name, _ in self.parts], dtype=object), [made.count for _, made in self.parts])


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
class Rebuilt(Artefact):
    """The tokenizer's reconstruction of every ID training image."""

    @property
    def pixels(self) -> Rows:
        """(N, 3, S, S) uint8 RGB, read when asked for."""
        return Rows((self.folder / "images.npy",))


@dataclass(frozen=True)
class Trained(Artefact):
    """A detector."""

    @property
    def weights(self) -> Path:
        """safetensors."""
        return self.folder / "detector.safetensors"

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of `config.Detector` with which it was built."""
        return dict(read_json(self.folder / "detector.json")["settings"])

    @property
    def classes(self) -> int:
        """Number of its classes, C."""
        return int(read_json(self.folder / "detector.json")["classes"])

    @property
    def report(self) -> dict[str, Any]:
        """Rank correlation of E with the outlier label, and what was matched of given weights."""
        report: dict[str, Any] = read_json(self.folder / "report.json")
        return report


@dataclass(frozen=True)
class Confidence(Artefact):
    """Energy and id_confidence of outliers and held-out images under the first detector."""

    def table(self) -> pa.Table:
        """M rows: energy (nats), raw_score, id_confidence."""
        return pq.read_table(self.folder / "outliers.parquet")

    @property
    def outliers(self) -> NDArray[np.float64]:
        """(M,) id_confidence."""
        return self.table()["id_confidence"].to_numpy()

    @property
    def reference(self) -> pd.DataFrame:
        """Held-out images: set ("validation" = ID, "auxiliary" = OOD), energy, id_confidence."""
        return pd.read_parquet(self.folder / "reference.parquet")

    @property
    def validation(self) -> NDArray[np.float64]:
        """(V,) id_confidence of ID validation images."""
        table = self.reference
        return table.loc[table["set"] == "validation", "id_confidence"].to_numpy(np.float64)

    @property
    def calibrator(self) -> Calibrator:
        """The fitted map from energy to id_confidence."""
        return from_dict(read_json(self.folder / "calibrator.json"))


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


@dataclass(frozen=True)
class Features(Artefact):
    """Features of the first detector, for previews."""

    def array(self, name: str) -> NDArray[Any]:
        """Memory-mapped (N, D) float16 of "train", "outliers", "validation" or "auxiliary"; (N,) "labels" of "train"."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


@dataclass(frozen=True)
class Kept(Artefact):
    """Which outliers a detector is trained on. Its key is its content: equal choices share a detector, however they were made."""

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(M,)."""
        return np.load(self.folder / "kept.npy")

    @property
    def key(self) -> str:
        """Of the mask."""
        return str(read_json(self.folder / "selection.json")["content"])

    @property
    def selection(self) -> Selection:
        """The mask, its limits, overlap, and how it was chosen."""
        told = read_json(self.folder / "selection.json")
        return Selection(self.mask, **{name: told[name] for name in ("lo", "hi", "overlap", "reason", "warning")})


@dataclass(frozen=True)
class Evaluated(Artefact):
    """A detector on images that it never saw."""

    @property
    def metrics(self) -> dict[str, Any]:
        """fpr95, auroc, aupr (mean over the OOD sets), id_accuracy, per_set, scorers, validation."""
        metrics: dict[str, Any] = read_json(self.folder / "metrics.json")
        return metrics

    @property
    def scores(self) -> pd.DataFrame:
        """A row an image: set ("id" or an OOD set), label, predicted, energy, id_confidence, and the anomaly by every method."""
        return pd.read_parquet(self.folder / "scores.parquet")

    @property
    def shift(self) -> pd.DataFrame:
        """The shift table; empty where the run has no grid."""
        path = self.folder / "shift.parquet"
        return pd.read_parquet(path) if path.exists() else pd.DataFrame()

    @property
    def calibrator(self) -> Calibrator | None:
        """The detector's own; none where it ranks the calibration sets the wrong way round."""
        path = self.folder / "calibrator.json"
        return from_dict(read_json(path)) if path.exists() else None


@dataclass(frozen=True)
class Sweep(Artefact):
    """Previews of all bands."""

    @property
    def table(self) -> pd.DataFrame:
        """A row a band: lo, hi, kept, overlap and the preview's figures."""
        return pd.read_parquet(self.folder / "sweep.parquet")


def joined(outliers: Outliers, *known: Described | Confidence | Typed | None) -> pa.Table:
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
