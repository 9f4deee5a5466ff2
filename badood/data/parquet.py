"""Parquet in the Hugging Face layout: an `Image` column of {bytes, path}, a `ClassLabel` column, names in the schema's metadata."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.anywhere import parquet_parts
from badood.data.images import check, decode
from badood.data.named_splits import parts_for
from badood.data.parquet_rows import EncodedRows, beside, read_labels
from badood.data.parquet_schema import Columns, agreed_columns, class_names, find_columns, read_schema
from badood.data.record import ImageSet, Skipped, bounded, shown
from badood.data.walk import Passed


def split_files(path: Path, split: str) -> tuple[list[Path], bool]:
    """The parquet files to read for a split, in order of name.

    Returns:
        files: those whose names (or folders' names) tell the split, or else, for "test", validation; a single file, or files of other
            names, as they are. Where they are looked for: `badood.data.anywhere.parquet_parts`.
        divided: whether their names tell the splits apart.

    Raises:
        BadInput: no parquet file, or none of this split.
    """
    parts = parquet_parts(path)
    if not parts:
        raise BadInput(f"{shown(path)} has no parquet file; give one, or a folder with train*.parquet and test*.parquet.")
    if set(parts) == {None}:
        return parts[None], False
    for part in parts_for(split):
        if part in parts:
            return parts[part], True
    there = ", ".join(f"{files[0].name}" for files in parts.values())
    raise BadInput(f"{shown(path)} has parquet files ({shown(there)}) but no {split}*.parquet; add it, or give one file as the path.")


def unread_files(path: Path) -> tuple[Skipped, ...]:
    """Parquet files of a divided set whose names tell no split."""
    passed = Passed()
    parts = parquet_parts(path)
    for file in parts[None] if len(parts) > 1 and None in parts else []:
        passed.add(
            "no split", file, "its name tells no split (train, test, validation) as those beside it do; rename it, or give it as the path."
        )
    return passed.entries()


def read_parquet(files: Sequence[Path], name: str, *, image: str | None = None, label: str | None = None) -> ImageSet:
    """Images of one or more parquet files, decoded on demand.

    Left out and counted in `skipped`: rows without a label, and rows whose image is unreadable, or is named by a path that is absolute or
    leads out of the parquet file's folder.

    Args:
        files: the files, of one schema.
        name: of the set.
        image: name of the image column; none = found by the schema. It holds encoded images, or paths of files beside the parquet file.
        label: name of the label column; none = found by the schema. Integers without names are of the classes that occur, in ascending
            order; texts of those that occur, in alphabetical order.

    Raises:
        BadInput: a file is not parquet or differs from the first in columns or class names, no image column, labels that are neither whole
            numbers nor texts, or no readable image with a label.
    """
    columns = agreed_columns(files, image, label)
    rows = EncodedRows(files, columns.image)
    values, known = (
        read_labels(files, columns.label) if columns.label else (np.zeros(len(rows), dtype=np.int64), np.ones(len(rows), dtype=bool))
    )
    if not known.any():
        what = f"no row with a label in column {columns.label!r}; name another with params.label" if len(known) else "no row; restore it"
        raise BadInput(f"{shown(files[0])} has {what}.")
    faults = {int(row): _fault(rows, int(row)) for row in np.flatnonzero(known)}
    good = np.array([row for row, fault in faults.items() if fault is None], dtype=np.int64)
    bad = [fault for fault in faults.values() if fault is not None]
    if not len(good):
        raise BadInput(f"{shown(files[0])} has no readable image in column {columns.image!r}; the first fault: {bad[0].reason}")
    labels, classes = _classes(values[good], columns, files[0])
    unlabelled = Passed()
    for row in np.flatnonzero(~known):
        unlabelled.add("no label", rows.name(int(row)), f"no label in column {columns.label!r}; give it one.")
    return ImageSet(
        name=shown(name),
        classes=classes,
        labels=labels,
        read=lambda row: decode(rows.content(int(good[row])), rows.name(int(good[row]))),
        ids=tuple(rows.name(int(row)) for row in good),
        skipped=bounded([*bad, *unlabelled.entries()]),
    )


def named_files(path: Path, image: str | None = None) -> list[Path]:
    """Image files that rows of the parquet files name instead of holding the images; none of those that lead elsewhere.

    Only the paths are read.

    Raises:
        BadInput: no parquet file, or a broken one.
    """
    found: dict[Path, None] = {}
    for file in (file for files in parquet_parts(path).values() for file in files):
        rows = EncodedRows([file], find_columns(file, image, None).image)
        for value in rows.paths():
            try:
                found[beside(file, value, file.name)] = None
            except BadInput:  # not read either
                continue
    return list(found)


def read_pixels(path: Path, split: str, size: int) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.int64]], dict[str, tuple[str, ...]]]:
    """A set whose images all have the same small size, decoded at once.

    Returns:
        pixels: (N, size, size, 3) uint8 RGB.
        labels: (N,) int64 for every `ClassLabel` column, positions in its names.
        classes: names for every `ClassLabel` column.

    Raises:
        BadInput: no files of the split, no image column, an image is unreadable or of another size, or a label is missing or has
            no name.
    """
    files, divided = split_files(path, split)
    if not divided:
        raise BadInput(f"{shown(path)}: the names do not tell train from test; expected a folder with train*.parquet and test*.parquet.")
    columns = agreed_columns(files, None, None)
    rows = EncodedRows(files, columns.image)
    pixels = np.empty((len(rows), size, size, 3), dtype=np.uint8)
    for row in range(len(rows)):
        one = decode(rows.content(row), rows.name(row))
        if one.shape != (size, size, 3):
            raise BadInput(
                f"{rows.name(row)} is {one.shape[1]} x {one.shape[0]} px; this set has {size} x {size}: use the data set `parquet`."
            )
        pixels[row] = one
    schema = read_schema(files[0])
    names = {name: names for name, names in class_names(schema, files[0]).items() if names and pa.types.is_integer(schema.field(name).type)}
    return pixels, {name: _all_labels(files, name, len(names[name])) for name in names}, names


def _fault(rows: EncodedRows, row: int) -> Skipped | None:
    """Why the image of a row cannot be used; a broken parquet file is an error instead."""
    value = rows.value(row)
    try:
        return check(rows.located(row, value), rows.name(row))
    except BadInput as error:
        return Skipped(rows.name(row), str(error))


def _classes(values: NDArray, columns: Columns, file: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as positions in the class names; without a label column there is the one class "unlabelled"."""
    if columns.label is None:
        return values, ("unlabelled",)
    if values.dtype.kind != "i":
        names, labels = np.unique(values.astype(str), return_inverse=True)
        return labels.astype(np.int64), tuple(map(shown, names))
    if values.min() < 0:
        raise BadInput(f"{shown(file)}: column {columns.label!r} has the label {values.min()} (unlabelled rows); name another split.")
    if columns.classes:
        if values.max() >= len(columns.classes):
            raise BadInput(
                f"{shown(file)}: column {columns.label!r} has the label {values.max()}, but its metadata names {len(columns.classes)} classes "
                "(0 upwards); write names for all."
            )
        return values, columns.classes
    numbers, labels = np.unique(values, return_inverse=True)
    return labels.astype(np.int64), tuple(map(str, numbers))


def _all_labels(files: Sequence[Path], column: str, classes: int) -> NDArray[np.int64]:
    """(N,) labels of a column that has one in every row, in 0 ... `classes` - 1."""
    values, known = read_labels(files, column)
    if not known.all() or (len(values) and not (values.min() >= 0 and values.max() < classes)):
        raise BadInput(
            f"{shown(files[0])}: column {column!r} has rows without a label of the {classes} classes; use the data set `parquet`."
        )
    return values
