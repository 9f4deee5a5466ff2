"""Arrays of pixels: `.npy`, and `.npz` as GOE writes its samples. Read row by row where they lie; never a pickle."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.core.rows import evenly
from badood.data.images import MAX_PIXELS, SUFFIXES
from badood.data.record import shown
from badood.outliers.layouts.layout import Found, Layout, joined, told
from badood.outliers.layouts.place import Place

_KEYS = ("x", "images", "arr_0")
_WANTED = "(N, H, W, 3) or (N, 3, H, W) of uint8, or of floats from 0 to 1"
_PROBES = 16


@dataclass(frozen=True)
class _Header:
    """What an array's header says. offset: of the first value, in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


class ArrayFile(Layout):
    """The images of one array.

    Args:
        label: what the file is called in names of images.
    """

    def __init__(self, file: Path, label: str) -> None:
        self._file, self._label, self.files = file, label, [file]
        with told(file, f"save the images with numpy.save as {_WANTED}"):
            self._member = _member(file) if file.suffix.lower() == ".npz" else ""
            with _opened(file, self._member) as stream:
                self._header = _header(stream, file)
            self._channels_first = _check(self._header, file)
            whole = (_size(file, self._member) - self._header.offset) // self._header.row_bytes
            if whole < len(self):
                raise BadInput(f"{file} ends within image {whole:,} of {len(self):,}; restore it.")
            self.encoded = self._header.dtype.kind == "f"  # any uint8 is a pixel
            if self.encoded:
                self._probe()
        inside = f" {self._member!r}" if self._member else ""
        self.words = f"an {file.suffix.lower()} array{inside} of shape {self._header.shape}, {self._header.dtype}"

    def __len__(self) -> int:
        return self._header.shape[0]

    def read(self, rows: NDArray[np.int64]) -> Iterator[Found]:
        """See `Layout.read`."""
        header = self._header
        with told(self._file), _opened(self._file, self._member) as stream:
            for row in rows:
                stream.seek(header.offset + int(row) * header.row_bytes)
                pixels = np.frombuffer(stream.read(header.row_bytes), header.dtype).reshape(header.shape[1:])
                yield Found(f"{self._label}#{row}", pixels.transpose(1, 2, 0) if self._channels_first else pixels)

    def _probe(self) -> None:
        """Floats of another scale are those of most images; a single bad image is left out later."""
        # a compressed array is read from its beginning, so only that is looked at
        rows = evenly(len(self), _PROBES) if not self._member else np.arange(min(len(self), _PROBES))
        faults = [fault for found in self.read(rows) if (fault := pixel_fault(found.content))]
        if 2 * len(faults) >= len(rows):
            raise BadInput(f"{self._file}: images have {faults[0]}.")


def arrays(place: Place) -> Layout | None:
    """One array file; or all below a folder that holds no image files, beside which arrays are embeddings."""
    names = place.ending({".npy", ".npz"})
    if not names or (not place.single and place.ending(SUFFIXES)):
        return None
    return joined([ArrayFile(place.file(name), shown(name)) for name in names])


def pixel_fault(pixels: Any) -> str:
    """What is wrong with an image's floats and what to do; "" = nothing."""
    low, high = float(np.min(pixels)), float(np.max(pixels))
    if not np.isfinite([low, high]).all():
        return "values that are no finite numbers; mend what made them"
    if low >= 0 and high <= 1 + 1e-3:
        return ""
    recipe = "(x + 1) * 127.5" if low >= -1 - 1e-3 and high <= 1 + 1e-3 else "x"
    return f"values from {low:.3g} to {high:.3g}, and floats are read from 0 to 1; save {recipe} rounded, from 0 to 255, as uint8"


def _member(file: Path) -> str:
    """The array of an archive that holds the images."""
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if len(names) > 1 and not set(_KEYS) & set(names):
            names = [name for name in names if _could_be_images(archive, name, file)] or names
    chosen = next((name for name in _KEYS if name in names), names[0] if len(names) == 1 else None)
    if chosen is None:
        raise BadInput(f"{file} has the arrays {', '.join(names) or '(none)'}; call the one with the images {' or '.join(_KEYS)}.")
    return chosen


def _could_be_images(archive: zipfile.ZipFile, name: str, file: Path) -> bool:
    try:
        with archive.open(f"{name}.npy") as stream:
            _check(_header(stream, file), file)
    except BadInput:
        return False
    return True


def _size(file: Path, member: str) -> int:
    """Bytes of the file, or of a member of an archive when it is unpacked."""
    if not member:
        return file.stat().st_size
    with zipfile.ZipFile(file) as archive:
        return archive.getinfo(f"{member}.npy").file_size


@contextmanager
def _opened(file: Path, member: str) -> Iterator[IO[bytes]]:
    """The bytes of an `.npy` file, or of a member of an archive: in place where it is stored, else unpacked while it is read."""
    if not member:
        with file.open("rb") as plain:
            yield plain
        return
    with zipfile.ZipFile(file) as archive:
        about = archive.getinfo(f"{member}.npy")
        if about.compress_type == zipfile.ZIP_STORED:
            with file.open("rb") as plain:
                yield _Inside(plain, about.header_offset)  # type: ignore[misc]
        else:
            with archive.open(about) as stream:
                yield stream


class _Inside:
    """A stored member of a zip archive, read where it lies: zipfile itself would read all before it."""

    def __init__(self, file: IO[bytes], header: int) -> None:
        file.seek(header + 26)
        lengths = np.frombuffer(file.read(4), "<u2")
        self._file, self._start = file, header + 30 + int(lengths.sum())
        file.seek(self._start)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, place: int) -> int:
        return self._file.seek(self._start + place)


def _header(stream: Any, file: Path) -> _Header:
    """Shape and type, never a pickle."""
    begin = stream.read(6)
    if begin != b"\x93NUMPY":
        pickled = " but a pickle, which can run code and is not read" if begin[:1] == b"\x80" else ""
        raise BadInput(f"{file} is no array of numpy's{pickled}; save the images with numpy.save as {_WANTED}.")
    stream.seek(0)
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise BadInput(f"{file} is of numpy's format {version[0]}.{version[1]}, which pixels do not need; save them with numpy.save.")
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise BadInput(f"{file} holds Python objects, which can run code and are not read; save the images as {_WANTED}.")
    if fortran and len(shape) > 1:
        raise BadInput(f"{file} is stored column by column; save numpy.ascontiguousarray(images).")
    return _Header(shape, dtype, stream.tell())


def _check(header: _Header, file: Path) -> bool:
    """Whether the channels come first."""
    shape, dtype = header.shape, header.dtype
    if dtype != np.uint8 and dtype.kind != "f":
        raise BadInput(f"{file} is of type {dtype}, expected {_WANTED}; if the values go from 0 to 255, save images.astype(numpy.uint8).")
    if len(shape) == 3 and 3 in (shape[0], shape[2]):
        raise BadInput(f"{file} has the shape {shape} of one image, expected {_WANTED}; save images[None].")
    if len(shape) != 4 or (shape[3] != 3 and shape[1] != 3):
        raise BadInput(f"{file} has the shape {shape}, expected {_WANTED}; grey images need numpy.repeat to three channels.")
    height, width = shape[1:3] if shape[3] == 3 else shape[2:]
    if not shape[0] or not height * width:
        raise BadInput(f"{file} has the shape {shape}: it holds no image; give an array with some.")
    if height * width > MAX_PIXELS:
        raise BadInput(f"{file} has images of {width} x {height} px; at most {MAX_PIXELS:,} px are read: scale them down.")
    return shape[3] != 3
