"""List files: a text that names an image a line, by its path below some folder, and maybe its label."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from badood.core.errors import BadInput, MissingFiles
from badood.data.folder import image_files
from badood.data.record import ImageSet, shown
from badood.data.walk import Passed, expanded

_LOOKED_FOR = 20
"""So many of the first listed images are looked for in a folder: a single one may be missing by itself."""

_MOST_CLASSES = 1_000_000
"""A list names its classes by number, and all up to the largest are there: one wrong number must not fill the memory."""


def lines(file: Path) -> list[str]:
    """What a list file lists, without empty lines; maybe nothing.

    Raises:
        BadInput: it cannot be read, or lists a path that leads out of the images' folder.
    """
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{shown(file)} is not a readable UTF-8 text ({shown(error)}); restore it.") from error
    away = [line for line in found if PurePath(line).is_absolute() or ".." in PurePath(line).parts]
    if away:
        raise BadInput(f"{shown(file)} lists {away[0]!r}, which leads out of the images' folder; list paths that start in it.")
    return found


def labelled(file: Path) -> list[tuple[str, int]]:
    """(path, label) of each line; the label is -1 where the line has none. OpenOOD's lists: `path label`.

    Raises:
        BadInput: as `lines`; or it lists nothing, or a label beyond a million classes.
    """
    found = []
    for line in lines(file):
        path, space, label = line.rpartition(" ")
        number = space and label.removeprefix("-").isdecimal()
        if number and (len(label) > len(str(_MOST_CLASSES)) or int(label) >= _MOST_CLASSES):
            raise BadInput(
                f"{shown(file)} lists {shown(path)!r} with the label {label}; labels number the classes from 0 on, at most {_MOST_CLASSES:,} of "
                "them: number them anew."
            )
        found.append((path.rstrip(), int(label)) if number else (line, -1))
    if not found:
        raise BadInput(f"{shown(file)} lists no image; restore it or delete it.")
    return found


def images_folder(file: Path, listed: Sequence[str], places: Sequence[Path]) -> Path:
    """The first of the folders in which listed images are found.

    Raises:
        MissingFiles: they are in none of them.
    """
    for place in places:
        if any((place / path).is_file() for path in listed[:_LOOKED_FOR]):
            return place
    raise MissingFiles(
        f"{shown(file)}: the first listed image, {shown(listed[0])}, is in none of {', '.join(map(shown, places))}; name its folder with "
        "params.images."
    )


def places_of(file: Path, images: str | None) -> list[Path]:
    """Folders that the paths of a list file may start at.

    Args:
        images: the folder that the user names; none = beside the list file, or as OpenOOD lays out a data root: lists in
            benchmark_imglist, images in images_classic and images_largescale.
    """
    if images is not None:
        return [expanded(images)]
    root = next((above.parent for above in file.absolute().parents if above.name == "benchmark_imglist"), None)
    own = [] if root is None else [root / "images_classic", root / "images_largescale"]
    return [file.parent, *own]


def listed_files(file: Path, images: str | None) -> list[Path]:
    """The list file and all images that it names, whether they are there or not.

    Raises:
        BadInput: as `labelled`.
        MissingFiles: as `images_folder`.
    """
    paths = [path for path, _ in labelled(file)]
    root = images_folder(file, paths, places_of(file, images))
    return [file, *(root / path for path in paths)]


def read_list(file: Path, name: str, images: str | None) -> ImageSet:
    """The images of a list file.

    The classes are the labels, called by their numbers; images of label -1, which is OpenOOD's for OOD, or of none are of a class that is called
    as the folder they lie in. Images that are not there are left out and counted.

    Raises:
        BadInput: as `labelled`; or no readable image.
        MissingFiles: as `images_folder`.
    """
    entries = labelled(file)
    root = images_folder(file, [path for path, _ in entries], places_of(file, images))
    passed = Passed()
    by_class: dict[str, list[Path]] = {str(number): [] for number in range(max(label for _, label in entries) + 1)}
    for path, label in entries:
        if not (root / path).is_file():
            passed.add("listed, not there", root / path, f"{shown(file.name)} lists it, but it is not there; unpack the images again.")
            continue
        by_class.setdefault(str(label) if label >= 0 else PurePath(path).parent.name, []).append(root / path)
    return image_files(name, root, list(by_class), list(by_class.values()), passed=passed.entries())
