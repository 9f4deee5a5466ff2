"""Which columns of parquet files hold images and labels."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from badood.core.errors import BadInput
from badood.data.record import shown

_LABELS = ("label", "labels", "fine_label", "class")
_PATHS = ("image", "img", "images", "file_name", "filename", "file", "path", "image_path")


@dataclass(frozen=True)
class Columns:
    """Which columns of a parquet file are meant.

    Attributes:
        image: column of {bytes, path} structs, of plain bytes, or of paths.
        label: integer or string column; none = all rows are of one class.
        classes: names in label order, where the schema has them.
    """

    image: str
    label: str | None
    classes: tuple[str, ...] | None


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn whatever a broken parquet file makes Arrow raise into one line that names the file."""
    try:
        yield
    except BadInput:
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        why = shown(" ".join(str(error).split())) or type(error).__name__
        raise BadInput(f"{shown(file)} is not a readable parquet file ({why}); restore it.") from error


def agreed_columns(files: Sequence[Path], image: str | None, label: str | None) -> Columns:
    """`find_columns` of all files of a set.

    Raises:
        BadInput: a file is not parquet, or its columns or class names are not those of the first; names the file.
    """
    every = [find_columns(file, image, label) for file in files]
    first = every[0]
    for file, found in zip(files[1:], every[1:], strict=True):
        if (found.image, found.label) != (first.image, first.label):
            raise BadInput(
                f"{shown(file)}: images and labels are in {found.image!r} and {found.label!r}, but in {first.image!r} and {first.label!r} in "
                f"{shown(files[0])}; write the files of a set with the same columns, or name them with params.image and params.label."
            )
        if found.classes and first.classes and found.classes != first.classes:
            raise BadInput(
                f"{shown(file)}: its class names ({', '.join(found.classes[:9])}) are not those of {shown(files[0])} "
                f"({', '.join(first.classes[:9])}); write the files of a set with one list of names."
            )
    return Columns(first.image, first.label, next((found.classes for found in every if found.classes), None))


def find_columns(file: Path, image: str | None, label: str | None) -> Columns:
    """The image and label column of a file, by the given names, else by the Hugging Face metadata, else by type and usual name.

    Raises:
        BadInput: the file is not parquet, or has no such column, or a column of another kind.
    """
    schema = read_schema(file)
    features = _features(schema, file)
    image = image or _image_column(schema, features, file)
    names = class_names(schema, file)
    usual = [name for name in _LABELS if name in schema.names]
    label = label or next(iter([*names, *usual]), None)
    if "" in (image, label):
        raise BadInput(f"{shown(file)} has its images or labels in a column without a name; give it one.")
    for name in filter(None, (image, label)):
        if schema.names.count(name) != 1:
            many = f"{schema.names.count(name)} columns" if name in schema.names else "no column"
            raise BadInput(f"{shown(file)} has {many} {name!r}; it has {', '.join(schema.names)}.")
    if not _holds_images(schema.field(image).type) and not is_text(schema.field(image).type):
        kind = "lists of images" if _is_list(schema.field(image).type) else f"{schema.field(image).type} values"
        raise BadInput(
            f"{shown(file)}: column {image!r} holds {kind}; expected one image a row: {{bytes, path}}, bytes, or the path of a file beside it."
        )
    return Columns(image, label, names.get(label) or None if label else None)


def read_schema(file: Path) -> pa.Schema:
    """The schema of a file.

    Raises:
        BadInput: it is not parquet.
    """
    return open_parquet(file).schema_arrow


def open_parquet(file: Path) -> Any:
    """Arrow's reader of a file.

    Raises:
        BadInput: it is not parquet.
    """
    with reading(file):
        # Arrow takes no name that is not UTF-8; the opened file is closed with its reader
        return pq.ParquetFile(file if shown(file) == str(file) else file.open("rb"))


def class_names(schema: pa.Schema, file: Path) -> dict[str, tuple[str, ...]]:
    """Names in label order of every `ClassLabel` column; empty where it lists none."""
    labels = {name: feature for name, feature in _features(schema, file).items() if feature.get("_type") == "ClassLabel"}
    lists = {name: feature.get("names") for name, feature in labels.items() if name in schema.names}
    return {name: tuple(map(str, names)) if isinstance(names, list) else () for name, names in lists.items()}


def _image_column(schema: pa.Schema, features: dict[str, Any], file: Path) -> str:
    """The column of images: as the metadata says, else the first of bytes, else the first of paths under a usual name."""
    typed = [name for name in schema.names if features.get(name, {}).get("_type") == "Image"]
    encoded = [field.name for field in schema if _holds_images(field.type)]
    paths = [name for name in _PATHS if name in schema.names and schema.names.count(name) == 1 and is_text(schema.field(name).type)]
    lists = [field.name for field in schema if _is_list(field.type) and _holds_images(field.type.value_type)]
    found = next(iter([*typed, *encoded, *lists, *paths]), None)
    if found is None:
        raise BadInput(
            f"{shown(file)} has no image column (columns: {', '.join(schema.names)}); expected a struct {{bytes, path}} or binary column: "
            "write it with Hugging Face `datasets`, or name the column with params.image."
        )
    return found


def _holds_images(kind: pa.DataType) -> bool:
    """Whether values of this type may be encoded images: bytes, or a struct that has `bytes` or `path`."""
    if pa.types.is_struct(kind):
        inner = {field.name: field.type for field in kind}
        return ("bytes" in inner and _is_bytes(inner["bytes"])) or ("path" in inner and is_text(inner["path"]))
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests)


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _features(schema: pa.Schema, file: Path) -> dict[str, Any]:
    """The features that Hugging Face `datasets` writes beside the columns; none where it wrote none.

    Raises:
        BadInput: the entry is no JSON, so that class names are lost.
    """
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface") or b"null")
    except ValueError as error:
        raise BadInput(
            f'{shown(file)}: its metadata "huggingface" is no JSON ({shown(error)}), so that class names are lost; write the file anew with '
            "Hugging Face `datasets`, or without that entry."
        ) from error
    for key in ("info", "features"):
        found = found.get(key) if isinstance(found, dict) else None
    return {name: feature for name, feature in (found or {}).items() if isinstance(feature, dict)} if isinstance(found, dict) else {}
