"""EncodedRows of parquet files: encoded images by number, and labels."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.parquet_schema import is_text, open_parquet, reading
from badood.data.record import shown

_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_boolean, pa.types.is_uint64)
_OPEN_GROUPS = 4  # row groups kept in memory; reading goes mostly forward


class EncodedRows:
    """Encoded images of several files by row number; only the row groups in use are in memory.

    Args:
        files: parquet files. column: of images: {bytes, path} structs, bytes, or paths.

    Raises:
        BadInput: a file is broken; also when it is read later.
    """

    def __init__(self, files: Sequence[Path], column: str) -> None:
        self._files = [open_parquet(file) for file in files]
        self._paths = list(files)
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
        return f"{shown(self._file(row).name)}#{row}"

    def value(self, row: int) -> bytes | str:
        """The encoded image of a row, or the path the row names instead; b"" where it has neither."""
        group = self._group_of(row)
        value = self._group(group)[row - int(self._starts[group])]
        with reading(self._file(row)):  # a text that is not UTF-8
            value = value.as_py()
        if isinstance(value, dict):
            encoded = value.get("bytes")
            value = encoded if encoded is not None else value.get("path")
        return value or b""

    def located(self, row: int, value: bytes | str) -> bytes | Path:
        """A row's `value`, with a path as that of the file beside the parquet file.

        Raises:
            BadInput: the path leads out of the parquet file's folder.
        """
        return value if isinstance(value, bytes) else beside(self._file(row), value, self.name(row))

    def content(self, row: int) -> bytes | Path:
        """The encoded image of a row, or the file that holds it; errors as `value` and `located`."""
        return self.located(row, self.value(row))

    def paths(self) -> Iterator[str]:
        """The paths of all rows, where any row may have a path in place of an image; images are not read."""
        for file, parquet in zip(self._paths, self._files, strict=True):
            leaf = _leaf_of_paths(parquet, self._column)
            if leaf is not None:
                with reading(file):
                    values = parquet.read(columns=[leaf])[self._column].to_pylist()
                yield from (path for each in values if (path := each.get("path") if isinstance(each, dict) else each))

    def _group_of(self, row: int) -> int:
        return int(np.searchsorted(self._starts, row, side="right")) - 1

    def _file(self, row: int) -> Path:
        return self._paths[self._groups[self._group_of(row)][0]]

    def _read_group(self, group: int) -> Any:
        file, inner = self._groups[group]
        with reading(self._paths[file]):
            values = self._files[file].read_row_group(inner, columns=[self._column])[self._column]
            promised = int(self._starts[group + 1] - self._starts[group])
            if len(values) != promised:  # Arrow tells none of it
                raise ValueError(f"row group {inner} holds {len(values):,} of {promised:,} rows")
        return values


def _leaf_of_paths(parquet: Any, column: str) -> str | None:
    """The leaf of an image column that holds paths; None where it has none, or by the statistics every row has its bytes."""
    kind = parquet.schema_arrow.field(column).type
    if not pa.types.is_struct(kind):
        return column if is_text(kind) else None
    names = [field.name for field in kind]
    groups = [parquet.metadata.row_group(group) for group in range(parquet.num_row_groups)]
    chunks = [group.column(each) for group in groups for each in range(group.num_columns)]
    encoded = [chunk.statistics for chunk in chunks if chunk.path_in_schema == f"{column}.bytes"]
    sound = bool(encoded) and all(each is not None and each.null_count == 0 for each in encoded)
    return f"{column}.path" if "path" in names and not sound else None


def beside(file: Path, path: str, name: str) -> Path:
    """The image file that a row of a parquet file names, in the folder of that file or below.

    Args:
        file: the parquet file. path: as the row has it; "\\" is taken for "/". name: what errors call the row.

    Raises:
        BadInput: the path is absolute, an address, or climbs out of the folder.
    """
    inside = PurePosixPath(path.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) or "\0" in path:
        raise BadInput(
            f"{name} has no bytes but the path {shown(path)!r}, which leads out of the folder {shown(file.parent)}; put the image there and "
            "write its path from there, or write the images into the file."
        )
    return file.parent / inside


def read_labels(files: Sequence[Path], column: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels of all rows.

    Returns:
        values: (N,) int64, or strings; of no meaning where there is none.
        known: (N,) False where the label is null, not a number, or an empty string.

    Raises:
        BadInput: labels of another type, or of two types in two files.
    """
    parts = [_file_labels(file, column) for file in files]
    text = {file: values.dtype.kind == "O" for file, (values, known) in zip(files, parts, strict=True) if known.any()}
    if len(set(text.values())) > 1:
        first, *_, other = sorted(text, key=lambda file: text[file])
        raise BadInput(
            f"column {column!r} has numbers in {shown(first)} but texts in {shown(other)}; write the files of a set with one type of labels."
        )
    return np.concatenate([values for values, _ in parts]), np.concatenate([known for _, known in parts])


def _file_labels(file: Path, column: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """`read_labels` of one file; texts are objects."""
    with reading(file):
        values = open_parquet(file).read(columns=[column])[column].combine_chunks()
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        missing = pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False)
        if missing.all():
            return np.zeros(len(values), dtype=np.int64), ~missing
        if _whole(values):
            numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
            return np.where(missing, 0, numbers).astype(np.int64), ~missing
        if pa.types.is_nested(values.type) or not any(test(values.type) for test in _TEXTS):
            what = "lists" if pa.types.is_nested(values.type) else f"{values.type} values"
            raise BadInput(
                f"{shown(file)}: column {column!r} holds {what}; a label is a whole number or a text: name another column with params.label."
            )
        texts = values.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False).astype(object)
        return texts, texts != ""


def _whole(values: Any) -> bool:
    """Whether all numbers are whole and fit 64 bits: integers, and the floats that pandas makes of integers with nulls."""
    known = values.drop_null()
    if pa.types.is_uint64(values.type):
        return bool(pc.all(pc.less(known, pa.scalar(2**63, pa.uint64()))).as_py())
    if not pa.types.is_floating(values.type):
        return bool(pa.types.is_integer(values.type))
    numbers = known.to_numpy(zero_copy_only=False)
    numbers = numbers[~np.isnan(numbers)].astype(np.float64)
    return bool(np.all((np.floor(numbers) == numbers) & (np.abs(numbers) < 2**63)))
