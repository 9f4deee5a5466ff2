"""Image files with `metadata.csv`, `.jsonl` or `.parquet` beside them, as Hugging Face `datasets` reads them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.images import SUFFIXES
from badood.data.record import Skipped, shown
from badood.outliers.layouts.folder import Files, class_names, passed_over
from badood.outliers.layouts.layout import CLASS_COLUMNS, Found, Layout, check_columns, class_column, joined, kind_of, told
from badood.outliers.layouts.place import Place

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

_FILE = "file_name"
_TEXTS = frozenset({*CLASS_COLUMNS, _FILE, "anchor", "anchor_id", "anchor_class"})
"""Columns that hold names, also where these look like numbers."""


class WithMetadata(Layout):
    """One metadata file and the images that it lists, in its order.

    Attributes:
        names: of the images, relative to the source.
    """

    def __init__(self, place: Place, metadata: str) -> None:
        table = _table(place.file(metadata))
        folder = metadata.rpartition("/")[0]
        names = [str(PurePosixPath(folder, value or "")) for value in table[_FILE].to_pylist()]
        there = set(place.names)
        listed = np.array([name in there and ".." not in name.split("/") for name in names], dtype=bool)
        self._place, self.names = place, [name for name, good in zip(names, listed, strict=True) if good]
        self.skipped = tuple(
            Skipped(shown(name), f"{shown(name)} is listed in {metadata} and does not lie below {place.root}; add it or delete its line.")
            for name, good in zip(names, listed, strict=True)
            if not good
        )
        kinds = {column: kind_of(table.schema.field(column).type, table[column].null_count > 0) for column in table.column_names}
        self.columns = {column: kind for column, kind in kinds.items() if kind and column != _FILE}
        self._table = table.filter(pa.array(listed)).select(list(self.columns))
        self._folders, self._label = class_names(self.names), class_column(self.columns)
        self.words = f"images with {metadata.rpartition('/')[2]}"
        self.files = Files(place, [metadata, *self.names])

    def __len__(self) -> int:
        return len(self.names)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """See `Layout.read`."""
        for row in rows:
            name = self.names[row]
            values = {column: self._table[column][int(row)].as_py() for column in self.columns}
            label = values[self._label] if self._label else None
            yield Found(shown(name), self._place.file(name), self._folders[row] if label is None else str(label), values=values)


def with_metadata(place: Place) -> Layout | None:
    """Image files that a metadata file lists; files in several folders one behind the other.

    Raises:
        BadInput: a metadata file cannot be read, or does not say which files it is about.
    """
    images, files = place.ending(SUFFIXES), place.called(*METADATA)
    if not files or not images:
        return None
    parts = [WithMetadata(place, file) for file in files]
    listed = {name for part in parts for name in part.names}
    parts[-1].skipped += passed_over(place, [*files, *images, *listed])
    parts[-1].skipped += tuple(
        Skipped(shown(name), f"{shown(name)} is listed in no {' or '.join(files)}; add a line for it.")
        for name in images
        if name not in listed
    )
    return joined(parts)


def _table(file: Path) -> pa.Table:
    """The file's rows; columns of a CSV file are numbers where all values are."""
    with told(file, "write it as UTF-8 with a column file_name"):
        if file.suffix.lower() == ".parquet":
            table = pq.read_table(file)
        elif file.suffix.lower() == ".jsonl":
            table = pyarrow.json.read_json(file)
        else:
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            table = pa.table({str(name): _numbers(str(name), pa.array(frame[name].tolist(), pa.string())) for name in frame})
    check_columns(file, table.column_names)
    if _FILE not in table.column_names or kind_of(table.schema.field(_FILE).type, False) != "text":
        raise BadInput(
            f"{file} has no column {_FILE} of texts (columns: {', '.join(table.column_names)}); rename the column with the images' file "
            "names, or move the file away to read the images without it."
        )
    return table.combine_chunks()


def _numbers(name: str, texts: pa.Array) -> pa.Array:
    """Texts as whole numbers or numbers where all are such; "" = missing. Leading zeros belong to a name."""
    given = pc.if_else(pc.equal(texts, ""), None, texts)
    if name in _TEXTS or given.null_count == len(given) or pc.any(pc.match_substring_regex(given, "^[+-]?0[0-9]")).as_py():
        return given
    for kind in (pa.int64(), pa.float64()):
        try:
            return given.cast(kind)
        except pa.ArrowInvalid:
            continue
    return given
