"""Parquet with a column of images: {bytes, path} as Hugging Face writes it, or plain bytes. Other scalar columns are kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.parquet_rows import beside
from badood.data.parquet_schema import Columns, find_columns
from badood.data.record import shown
from badood.outliers.layouts.encoding import encoding_of
from badood.outliers.layouts.layout import Found, Kind, Layout, check_columns, class_column, joined, kind_of, told
from badood.outliers.layouts.metadata import METADATA
from badood.outliers.layouts.place import Place

_BATCH = 32
"""Rows that are read at a time: a file written by pandas is one row group, too large for the memory."""


class ParquetFile(Layout):
    """The rows of one file.

    Args:
        label: what the file is called in names of images.
    """

    def __init__(self, file: Path, label: str) -> None:
        self._file, self._label = file, label
        with told(file), _open(file) as opened:
            check_columns(file, opened.schema_arrow.names)
            self._groups = [opened.metadata.row_group(group).num_rows for group in range(opened.metadata.num_row_groups)]
            columns = _columns(opened, file)
            self._image = columns.image
            self.columns = _kinds(opened, self._image)
        named = class_column(self.columns)
        self._class = named if named in ("class_name", "class") or columns.label not in self.columns else columns.label
        self._classes = columns.classes if self._class == columns.label else None
        self.files = [file]
        self.words = f"parquet with images in the column {self._image!r}"

    def __len__(self) -> int:
        return sum(self._groups)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """See `Layout.read`."""
        with told(self._file), _open(self._file) as opened:
            start = 0
            for group, count in enumerate(self._groups):
                first, last = np.searchsorted(rows, [start, start + count])
                if first < last:
                    yield from self._read_group(opened, group, rows[first:last], start)
                start += count

    def _read_group(self, opened: pq.ParquetFile, group: int, rows: NDArray[np.int64], start: int) -> Iterator[Found]:
        for batch in opened.iter_batches(_BATCH, row_groups=[group], columns=[self._image, *self.columns]):
            first, last = np.searchsorted(rows, [start, start + len(batch)])
            for row in rows[first:last]:
                yield self._found(batch, int(row) - start, f"{self._label}#{row}")
            if last == len(rows):
                return
            start += len(batch)

    def _found(self, batch: pa.RecordBatch, at: int, name: str) -> Found:
        image = batch.column(self._image)[at].as_py()
        values = {column: batch.column(column)[at].as_py() for column in self.columns}
        image = image if isinstance(image, dict) else {"path" if isinstance(image, str) else "bytes": image}
        content: bytes | Path = image.get("bytes") or b""
        path, fault = image.get("path"), ""
        if path and not content:
            try:
                content = beside(self._file, path, name)
            except BadInput as error:
                fault = str(error)
        return Found(shown(path or name), content, self._class_name(values), fault, values)

    def _class_name(self, values: dict[str, Any]) -> str:
        value = values[self._class] if self._class else None
        if value is None or self._classes is None:
            return "" if value is None else str(value)
        return self._classes[value] if 0 <= value < len(self._classes) else ""


def parquet(place: Place) -> Layout | None:
    """One parquet file, or all below a folder."""
    names = [name for name in place.ending({".parquet"}) if place.single or name not in place.called(*METADATA)]
    return joined([ParquetFile(place.file(name), shown(name)) for name in names]) if names else None


def _open(file: Path) -> pq.ParquetFile:
    # buffered: without that a whole row group is read at once; mapped, its pages would count as this process's memory
    return pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)


def _columns(opened: pq.ParquetFile, file: Path) -> Columns:
    """The columns of images and labels; of several columns of bytes the first that holds images."""
    columns = find_columns(file, None, None)
    plain = [field.name for field in opened.schema_arrow if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)]
    if columns.image not in plain:
        return columns
    first = next(opened.iter_batches(_BATCH, columns=plain), None)
    for name in plain:
        if first is not None and any(encoding_of(value) for value in first.column(name).to_pylist() if value):
            return replace(columns, image=name)
    raise BadInput(
        f"{shown(file)}: the bytes of the column {columns.image!r} are no images (columns: {', '.join(opened.schema_arrow.names)}); write PNG, "
        "JPEG or WebP files into it, as the feature Image() of Hugging Face `datasets` does."
    )


def _kinds(opened: pq.ParquetFile, image: str) -> dict[str, Kind]:
    """Scalar columns beside the image; what pandas keeps as its index is left out."""
    about = opened.metadata
    missing = dict.fromkeys(opened.schema_arrow.names, False)
    for group in range(about.num_row_groups):
        for place in range(about.num_columns):
            column = about.row_group(group).column(place)
            statistics = column.statistics
            if column.path_in_schema in missing and (statistics is None or not statistics.has_null_count or statistics.null_count):
                missing[column.path_in_schema] = True
    kinds = {field.name: kind_of(field.type, missing[field.name]) for field in opened.schema_arrow}
    return {name: kind for name, kind in kinds.items() if kind and name != image and not name.startswith("__")}
