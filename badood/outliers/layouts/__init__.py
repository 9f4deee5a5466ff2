"""What images of other generators lie in, one layout a file. Reads names and headers; the images come row by row."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from badood.core.errors import BadInput
from badood.data.images import SUFFIXES
from badood.data.record import shown
from badood.outliers.layouts.arrays import arrays
from badood.outliers.layouts.encoding import encoding_of
from badood.outliers.layouts.folder import image_folder
from badood.outliers.layouts.layout import Found, Kind, Layout, told, values_of
from badood.outliers.layouts.metadata import METADATA, with_metadata
from badood.outliers.layouts.parquet import parquet
from badood.outliers.layouts.place import Place, place
from badood.outliers.layouts.tars import is_tar, tars

__all__ = ["LAYOUTS", "Found", "Kind", "Layout", "encoding_of", "recognised", "told", "values_of"]

LAYOUTS: tuple[Callable[[Place], Layout | None], ...] = (with_metadata, parquet, tars, arrays, image_folder)
"""Each says what it finds, or none; the first that finds something reads it."""

_KNOWN = "images, images with metadata.csv, parquet, tar, .npy or .npz"
_ARCHIVES = frozenset({".zip", ".7z", ".rar"})
_PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt"})


def recognised(path: Path) -> Layout:
    """The images at a path, whatever their layout.

    Raises:
        BadInput: nothing lies there, or nothing that is known, or two things at once.
    """
    there = place(path.parent if path.name.lower() in METADATA else path)
    _one_thing(there, path)
    for layout in LAYOUTS:
        found = layout(there)
        if found is not None:
            return found
    raise BadInput(_unknown(there, path))


def _one_thing(there: Place, path: Path) -> None:
    """Images beside archives of images are as likely a description of them as outliers."""
    if there.called(*METADATA):
        return
    kinds = {
        "images": there.ending(SUFFIXES),
        "parquet files": there.ending({".parquet"}),
        "tar archives": [name for name in there.names if is_tar(name)],
    }
    several = {kind: names for kind, names in kinds.items() if names}
    if len(several) > 1:
        told_each = " and ".join(f"{len(names):,} {kind} ({shown(names[0])})" for kind, names in several.items())
        raise BadInput(f"{path} holds {told_each}; give the path of those that are meant.")


def _unknown(there: Place, path: Path) -> str:
    if not there.names:
        passed = "".join(f" ({entry.reason})" for entry in there.passed[:1])
        return f"{shown(path)} is empty{passed}; give {_KNOWN}."
    if there.ending(_ARCHIVES):
        return f"{there.file(there.ending(_ARCHIVES)[0])} is an archive; unpack it and give the folder."
    if there.ending(_PICKLES):
        return f"{there.file(there.ending(_PICKLES)[0])} is a pickle, which can run code and is not read; save the images with numpy.save as uint8."
    kinds = Counter(Path(name).suffix.lower() or "(no suffix)" for name in there.names).most_common(5)
    return f"{path} holds nothing that is read ({', '.join(f'{count:,} {kind}' for kind, count in kinds)}); give {_KNOWN}."
