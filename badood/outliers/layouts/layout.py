"""What a layout is: images as something else left them, read row by row and never whole."""

import lzma
import struct
import tarfile
import tokenize
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.record import Skipped, shown

Kind = Literal["int", "float", "bool", "text"]
"""What a column holds in all of its rows, so that every group of rows can go into one table."""

CLASS_COLUMNS = ("class_name", "class", "label_name", "label", "category", "cls")
"""Columns that name an image's class; the first that is there counts."""


@dataclass(frozen=True)
class Found:
    """One image as its layout has it, not decoded.

    Attributes:
        name: where it lies, relative to the source; for people, and to find its anchor by.
        content: an encoded image, or the path of one, or (H, W, 3) pixels: uint8, or floating from 0 to 1.
        class_name: "" = none. fault: why there is no content, "" = there is. values: by column; what is missing is None or left out.
    """

    name: str
    content: bytes | Path | NDArray[Any]
    class_name: str = ""
    fault: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class Layout(ABC):
    """Images of one source. Making one reads names and headers, no pixels; it keeps no file open, so it pickles.

    Attributes:
        words: what was recognised, for people.
        files: all that are read.
        columns: the further columns, by name.
        skipped: images that are known beforehand to be of no use; they have no row.
        encoded: whether rows are encoded images, which can turn out to be unreadable.
    """

    words: str
    files: Sequence[Path]
    columns: Mapping[str, Kind] = {}
    skipped: tuple[Skipped, ...] = ()
    encoded: bool = True

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """The given rows, which ascend, one after another.

        Raises:
            BadInput: a file cannot be read.
        """


class Joined(Layout):
    """Several files of one layout, one behind the other."""

    def __init__(self, parts: Sequence[Layout]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        self.words = f"{parts[0].words}, {len(parts)} files"
        self.files = [file for part in parts for file in part.files]
        self.columns = joined_columns([part.columns for part in parts])
        self.skipped = tuple(entry for part in parts for entry in part.skipped)
        self.encoded = any(part.encoded for part in parts)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """See `Layout.read`."""
        for part, end in zip(self._parts, self._ends, strict=True):
            start = end - len(part)
            first, last = np.searchsorted(rows, [start, end])
            if first < last:
                yield from part.read(rows[first:last] - start)


def joined(parts: Sequence[Layout]) -> Layout:
    """One layout of several; a single one as it is."""
    return parts[0] if len(parts) == 1 else Joined(parts)


def joined_columns(parts: Sequence[Mapping[str, Kind]]) -> dict[str, Kind]:
    """Kinds that fit all parts: a column that one of them lacks has missing values."""
    kinds: dict[str, Kind] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        kind: Kind | None = None
        for part in parts:
            kind = widened(kind, part.get(name))
        kinds[name] = with_missing(kind) if any(name not in part for part in parts) and kind else kind or "text"
    return kinds


def widened(kind: Kind | None, other: Kind | None) -> Kind | None:
    """The kind that holds values of both; None = nothing is known of one."""
    if kind is None or other is None or kind == other:
        return kind or other
    return "float" if {kind, other} == {"int", "float"} else "text"


def with_missing(kind: Kind) -> Kind:
    """The kind that also holds missing values: there is no integer and no truth value that means none."""
    return {"int": "float", "bool": "text"}.get(kind, kind)  # type: ignore[return-value]


def values_of(kind: Kind, values: Sequence[Any]) -> NDArray[Any] | list[str]:
    """A column: int64, float64 (missing = not a number), bool, or texts (missing = "")."""
    if kind == "text":
        return ["" if value is None else str(value) for value in values]
    if kind == "float":
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    return np.array(values, dtype=np.int64 if kind == "int" else np.bool_)


def kind_of(kind: pa.DataType, missing: bool) -> Kind | None:
    """The kind of an Arrow column; None = it is no scalar that is kept, such as bytes and lists."""
    if pa.types.is_dictionary(kind):
        return kind_of(kind.value_type, missing)
    found: Kind | None = None
    if pa.types.is_boolean(kind):
        found = "bool"
    elif pa.types.is_uint64(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        found = "float"  # the largest uint64 are no int64
    elif pa.types.is_integer(kind):
        found = "int"
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_temporal(kind):
        found = "text"
    return with_missing(found) if found and missing else found


def class_column(columns: Mapping[str, Kind]) -> str | None:
    """The column that names the class, if there is one."""
    return next((name for name in CLASS_COLUMNS if name in columns), None)


def check_columns(file: Path, names: Sequence[str]) -> None:
    """Whether every column can be asked for by its name.

    Raises:
        BadInput: two have the same.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise BadInput(f"{shown(file)} has two columns {shown(twice)!r}; rename one.")


@contextmanager
def told(file: Path, remedy: str = "restore it or leave it out") -> Iterator[None]:
    """Turn whatever a reader raises over a broken file into a `BadInput` that names the file."""
    try:
        yield
    except (
        *(OSError, EOFError, ValueError, ArithmeticError, RuntimeError, NotImplementedError, struct.error),
        *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, pa.ArrowException),
        tokenize.TokenError,  # numpy over an array's header
    ) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{shown(file)} cannot be read ({shown(why)}); {remedy}.") from error
