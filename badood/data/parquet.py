"""Parquet in the Hugging Face layout: an `Image` column of {bytes, path}, a `ClassLabel` column, names in the schema's metadata."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.images import check, decode
from badood.data.record import ImageSet, Skipped

_OPEN_GROUPS = 4  # row groups kept in memory; reading goes mostly forward


@dataclass(frozen=True)
class Columns:
    """Which columns of a parquet file are meant.

    Attributes:
        image: column of {bytes, path} structs, or of plain bytes.
        label: integer or string column; none = all rows are of one class.
        classes: names in label order, where the schema has them.
    """

    image: str
    label: str | None
    classes: tuple[str, ...] | None


def split_files(path: Path, split: str) -> tuple[list[Path], bool]:
    """The parquet files to read for a split, in order of name.

    Returns:
        files: `train*.parquet`, or `test*.parquet` or else `validation*.parquet`, in the folder or in its `data` folder; a single file, or
            files of other names, as they are.
        divided: whether their names tell the splits apart.

    Raises:
        BadInput: no parquet file, or none of this split.
    """
    if path.is_file():
        return [path], False
    for folder in (path, path / "data"):
        by_split = {name: sorted(folder.glob(f"{name}*.parquet")) for name in ("train", "test", "validation")}
        if any(by_split.values()):
            files = by_split[split] or (by_split["validation"] if split == "test" else [])
            if files:
                return files, True
            raise BadInput(f"{folder} has parquet files but no {split}*.parquet; add it, or give one file as the path.")
        if any_name := sorted(folder.glob("*.parquet")):
            return any_name, False
    raise BadInput(f"{path} has no parquet file; give one, or a folder with train*.parquet and test*.parquet.")


def read_parquet(files: list[Path], name: str, *, image: str | None = None, label: str | None = None) -> ImageSet:
    """Images of one or more parquet files, decoded on demand; unreadable ones are left out and reported.

    Args:
        files: the files, of one schema.
        name: of the set.
        image: name of the image column; none = found by the schema.
        label: name of the label column; none = found by the schema.

    Raises:
        BadInput: not parquet, no image column, or no readable image.
    """
    columns = find_columns(files[0], image, label)
    rows = _Rows(files, columns.image)
    skipped: list[Skipped | None] = [check(rows.content(row), rows.name(row)) for row in range(len(rows))]
    good = np.array([row for row, entry in enumerate(skipped) if entry is None], dtype=np.int64)
    if not len(good):
        raise BadInput(f"{files[0]} has no readable image in column {columns.image!r}; the first fault: {_first(skipped)}")
    labels, classes = _labels(files, columns)
    every = ImageSet(
        name=name,
        classes=classes,
        labels=labels,
        read=lambda row: decode(rows.content(row), rows.name(row)),
        ids=tuple(rows.name(row) for row in range(len(rows))),
        skipped=tuple(entry for entry in skipped if entry is not None),
    )
    return every.take(good) if len(good) < len(rows) else every


def read_pixels(path: Path, split: str, size: int) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.int64]], dict[str, tuple[str, ...]]]:
    """A set whose images all have the same small size, decoded at once.

    Returns:
        pixels: (N, size, size, 3) uint8 RGB.
        labels: (N,) int64 for every integer column.
        classes: names for every `ClassLabel` column.

    Raises:
        BadInput: no files of the split, no image column, or an image is unreadable or of another size.
    """
    files, divided = split_files(path, split)
    if not divided:
        raise BadInput(f"{path}: the names do not tell train from test; expected a folder with train*.parquet and test*.parquet.")
    image = find_columns(files[0], None, None).image
    rows = _Rows(files, image)
    pixels = np.empty((len(rows), size, size, 3), dtype=np.uint8)
    for row in range(len(rows)):
        one = decode(rows.content(row), rows.name(row))
        if one.shape != (size, size, 3):
            raise BadInput(
                f"{rows.name(row)} is {one.shape[1]} x {one.shape[0]} px; this set has {size} x {size}: use the data set `parquet`."
            )
        pixels[row] = one
    schema = pq.read_schema(files[0])
    whole = [field.name for field in schema if pa.types.is_integer(field.type)]
    labels = {name: np.concatenate([_column(file, name).to_numpy() for file in files]).astype(np.int64) for name in whole}
    return pixels, labels, {name: names for name, names in _class_names(schema).items() if names}


def find_columns(file: Path, image: str | None, label: str | None) -> Columns:
    """The image and label column of a file, by the given names, else by the Hugging Face metadata, else by type and usual name.

    Raises:
        BadInput: the file is not parquet, or has no such column.
    """
    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"{file} is not a readable parquet file ({error}); restore it.") from error
    images = [field.name for field in schema if _holds_images(field, schema)]
    if image is None and not images:
        raise BadInput(
            f"{file} has no image column (columns: {', '.join(schema.names)}); expected a struct {{bytes, path}} or binary column: "
            "write it with Hugging Face `datasets`, or name the column with params.image."
        )
    for name in filter(None, (image, label)):
        if name not in schema.names:
            raise BadInput(f"{file} has no column {name!r}; it has {', '.join(schema.names)}.")
    names = _class_names(schema)
    usual = [name for name in ("label", "labels", "fine_label", "class") if name in schema.names]
    label = label or next(iter([*names, *usual]), None)
    return Columns(image or images[0], label, names.get(label) if label else None)


def _holds_images(field: pa.Field, schema: pa.Schema) -> bool:
    if _features(schema).get(field.name, {}).get("_type") == "Image":
        return True
    if pa.types.is_struct(field.type):
        return "bytes" in [inner.name for inner in field.type]
    return bool(pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type))


def _features(schema: pa.Schema) -> dict[str, Any]:
    """The features that Hugging Face `datasets` writes beside the columns."""
    content = (schema.metadata or {}).get(b"huggingface")
    features = json.loads(content).get("info", {}).get("features", {}) if content else {}
    return {name: feature for name, feature in features.items() if isinstance(feature, dict)}


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    found = {name: feature for name, feature in _features(schema).items() if feature.get("_type") == "ClassLabel" and name in schema.names}
    return {name: tuple(feature.get("names") or ()) for name, feature in found.items()}


def _labels(files: list[Path], columns: Columns) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels and class names; without a label column every row is of the one class "unlabelled"."""
    if columns.label is None:
        return np.zeros(sum(pq.read_metadata(file).num_rows for file in files), dtype=np.int64), ("unlabelled",)
    values = np.concatenate([_column(file, columns.label).to_numpy() for file in files])
    if values.dtype.kind in "iu":
        if values.min() < 0:
            raise BadInput(f"{files[0]}: column {columns.label!r} has the label {values.min()} (unlabelled rows); name another split.")
        return values.astype(np.int64), columns.classes or tuple(map(str, range(int(values.max()) + 1)))
    names, labels = np.unique(values.astype(str), return_inverse=True)
    return labels.astype(np.int64), tuple(map(str, names))


def _column(file: Path, name: str) -> Any:
    return pq.read_table(file, columns=[name])[name]


def _first(skipped: list[Skipped | None]) -> str:
    return next((entry.reason for entry in skipped if entry is not None), "it has no rows")


class _Rows:
    """Encoded images of several files by row number; only the row groups in use are in memory."""

    def __init__(self, files: list[Path], column: str) -> None:
        self._files = [pq.ParquetFile(file) for file in files]
        self._names = [file.name for file in files]
        self._column = column
        groups = [(file, group) for file, opened in enumerate(self._files) for group in range(opened.num_row_groups)]
        self._groups = groups
        sizes = [self._files[file].metadata.row_group(group).num_rows for file, group in groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._group = lru_cache(maxsize=_OPEN_GROUPS)(self._read_group)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def name(self, row: int) -> str:
        """File and row within the set, for people."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        return f"{self._names[self._groups[group][0]]}#{row}"

    def content(self, row: int) -> bytes:
        """The encoded image of a row; empty where it is null."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        value = self._group(group)[row - int(self._starts[group])].as_py()
        return (value.get("bytes") if isinstance(value, dict) else value) or b""

    def _read_group(self, group: int) -> Any:
        file, inner = self._groups[group]
        return self._files[file].read_row_group(inner, columns=[self._column])[self._column]
