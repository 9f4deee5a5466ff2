"""Image files in folders."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from badood.core.errors import BadInput
from badood.data.images import FORMATS, SUFFIXES, check_files, decode
from badood.data.named_splits import Part, part_of_folder, parts_for
from badood.data.record import ImageSet, Skipped, bounded, counted, distinct, shown
from badood.data.walk import Passed, inside, walk

log = logging.getLogger(__name__)

_KINDS = ", ".join(FORMATS)


def within(path: Path) -> Path:
    """The folder that divides the images: `path` itself, or where it holds a single folder and no images, what lies in that.

    A single folder is looked through only where at least two folders with images, or folders of splits, follow in it or further down; else it
    is a class. Archives of a whole folder unpack to such.
    """
    here = path
    while True:
        folders = _with_images(here)
        if len(folders) > 1 or any(part_of_folder(each.name) for each in folders):
            if here != path:
                log.info("%s: the classes are read from %s, the only folder in it with images", shown(path), shown(here.relative_to(path)))
            return here
        if not folders or _has_images(here):
            return path
        here = folders[0]


def split_folder(path: Path, split: str) -> Path | None:
    """The subfolder of `path` that holds a split, if it is divided into such.

    It is where every subfolder with images has the name of a split, in any case; else they are classes, whatever their names.

    Args:
        path: a folder. split: "train" or "test"; a folder of validation images plays "test" where there is no test folder.

    Raises:
        BadInput: the split's folder is missing, or two folders could be it.
    """
    folders = _with_images(path)
    parts = {each: part_of_folder(each.name) for each in folders}
    if not folders or None in parts.values():
        _tell_if_doubtful(path, parts)
        return None
    for part in parts_for(split):
        own = [each for each in folders if parts[each] == part]
        if len(own) > 1:
            raise BadInput(f"{shown(path)} has two folders for {split}, {own[0].name} and {own[1].name}; keep one, or join them.")
        if own:
            return own[0]
    other = folders[0]
    raise BadInput(f"{shown(path)} has {other.name} but no {split} folder with images; add it, or give {shown(other)} as the path.")


def beside_the_way(path: Path, chosen: Path) -> tuple[Skipped, ...]:
    """What lies in `path`, and in the folders from there to `chosen`, and is read neither for this split nor for another."""
    passed = Passed()
    for here in (each for each in reversed(chosen.parents) if each.is_relative_to(path)):
        folders, files = inside(here, passed)
        for file in _images_among(files, passed):
            passed.add("beside the classes", file, "lies beside the folders that are read; move it into one.")
        for each in set(folders) - set(_with_images(here)):
            passed.add("folder without images", each, "no image file in it.")
    return passed.entries()


def read_folder(path: Path, name: str) -> ImageSet:
    """Images below `path`: a class for each subfolder, or the one class "unlabelled" where images lie directly in it only.

    Links are followed. Left out and counted in `skipped`: unreadable images, files of other kinds, hidden ones, links to nothing, folders
    without a readable image, and images that lie beside the classes.

    Raises:
        BadInput: no such folder, or no readable image.
    """
    if not path.is_dir():
        raise BadInput(
            f"{shown(path)} is not a folder; give one with a subfolder of images for each class, or with images, or a parquet file."
        )
    passed = Passed()
    folders, beside = inside(path, passed)
    found = {each: _image_files(each, passed) for each in folders}
    classes = [each for each in folders if found[each]]
    loose = _images_among(beside, passed)
    for each in folders:
        if not found[each]:
            passed.add("folder without images", each, "no image file in it; add images if it should be a class.")
    if not classes:
        return image_files(name, path, ["unlabelled"], [loose], passed=passed.entries())
    for file in loose:
        passed.add("beside the classes", file, "lies beside the folders of the classes, so that its class is unknown; move it into one.")
    every = image_files(name, path, [each.name for each in classes], [found[each] for each in classes], passed=passed.entries())
    return _filled(every, path)


def image_files(
    name: str, root: Path, classes: Sequence[str], files: Sequence[Sequence[Path]], *, passed: Sequence[Skipped] = ()
) -> ImageSet:
    """An image set over files, given class by class; ids are the paths below `root`. Unreadable files are left out and reported.

    Args:
        name: of the set. root: folder of all files. classes: C names. files: C lists, in the order wanted.
        passed: what was left out before.

    Returns:
        Images of all classes, also of those without a readable image.

    Raises:
        BadInput: no readable image.
    """
    every = [file for part in files for file in part]
    if not every:
        raise BadInput(f"{shown(root)} holds no image file ({_KINDS}){_instead(passed)}; check the path, convert other formats.")
    faults = check_files(every)
    labels = np.repeat(np.arange(len(files), dtype=np.int64), [len(part) for part in files])
    good = np.flatnonzero([fault is None for fault in faults])
    bad = [fault for fault in faults if fault is not None]
    if not len(good):
        raise BadInput(f"{shown(root)} has no readable image among {len(every):,}; the first: {bad[0].reason}")
    kept = [every[row] for row in good]
    return ImageSet(
        name=shown(name),
        classes=distinct(classes),
        labels=labels[good],
        read=lambda row: decode(kept[row], str(kept[row])),
        ids=distinct(file.relative_to(root) for file in kept),
        skipped=bounded([*bad, *passed]),
    )


def _filled(images: ImageSet, root: Path) -> ImageSet:
    """The set without classes that no image is left of; those are reported."""
    used, labels = np.unique(images.labels, return_inverse=True)
    lost = Passed()
    for label in sorted(set(range(len(images.classes))) - set(used.tolist())):
        lost.add("folder without images", root / images.classes[label], "none of its images can be read; restore them.")
    classes = tuple(images.classes[label] for label in used)
    return replace(images, classes=classes, labels=labels.astype(np.int64), skipped=bounded([*images.skipped, *lost.entries()]))


def _image_files(folder: Path, passed: Passed) -> list[Path]:
    """Image files anywhere below a folder, in order of name."""
    return sorted(_images_among(map(Path, walk(folder, passed)), passed))


def _images_among(files: Iterable[Path], passed: Passed) -> list[Path]:
    """Those that have the suffix of an image; the others are counted by suffix."""
    images = []
    for file in files:
        if _is_image(file):
            images.append(file)
        else:
            passed.add(
                "no image file", file, f"no image of a kind that is read ({_KINDS}); convert what should be.", detail=file.suffix.lower()
            )
    return images


def _is_image(file: str | Path) -> bool:
    """Whether a file has the suffix of an image."""
    return Path(file).suffix.lower() in SUFFIXES


def _with_images(path: Path) -> list[Path]:
    """Folders in `path` that hold an image file, at any depth."""
    return [each for each in inside(path, Passed())[0] if any(_is_image(file) for file in walk(each, Passed()))]


def _has_images(path: Path) -> bool:
    return any(map(_is_image, inside(path, Passed())[1]))


def _instead(passed: Sequence[Skipped]) -> str:
    """What a folder holds in place of images, for a message."""
    found = ", ".join(f"{count:,} {kind}" for kind, count in counted(passed).items())
    return f" but {found}" if found else ""


def _tell_if_doubtful(path: Path, parts: dict[Path, Part | None]) -> None:
    """Name folders that look like both parts of a divided set, but are classes because of others beside them."""
    split = [shown(each.name) for each, part in parts.items() if part]
    if len(set(parts.values()) - {None}) > 1:
        others = [shown(each.name) for each, part in parts.items() if part is None]
        log.warning(
            "%s: %s are read as classes, because %s lies beside them; move it away if they are the parts of a divided set",
            shown(path),
            " and ".join(split),
            ", ".join(others),
        )
