"""From a setting to images: sources resolved, limited, and split into training and validation."""

import errno
import inspect
import logging
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from badood.config import NamedSource, Source
from badood.core.errors import BadConfig, BadInput, MissingFiles
from badood.data import dataset, files
from badood.data.holdout import held_out
from badood.data.record import ImageSet, counted, shown
from badood.data.walk import expanded, there

log = logging.getLogger(__name__)


def load(source: Source, base: Path | None) -> ImageSet:
    """The images a source names; what was left out is named in the log, counted by kind.

    Args:
        source: data set, path, split, limit, params.
        base: where a relative path starts; none = the working directory.

    Raises:
        BadConfig: unknown data set, or a parameter it does not take.
        BadInput: files it cannot use.
    """
    check_source(source, base)
    path = resolved(source, base)
    try:
        images = dataset[source.dataset](path, source.split, **source.params)
    except (OSError, UnicodeError) as error:  # the readers tell more; this is for the rest, and for readers of other packages
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BadInput(f"{shown(path)} cannot be read as {source.dataset!r} ({shown(error)}); check the files there.") from error
    if not len(images):
        raise BadInput(f"{images.name} has no image ({shown(path or source.dataset)}); check path, split and params.")
    _tell(images)
    return images if source.limit is None else images.take(_spread(images.labels, source.limit))


def load_optional(sources: Sequence[NamedSource], base: Path | None) -> list[ImageSet]:
    """`load` of every source that is `present`, under the sources' names.

    Raises:
        BadInput: as `load`; or two sources have one name.
    """
    check_distinct(sources)
    return [load(source, base).named(source.name) for source in present(sources, base)]


def present(sources: Sequence[NamedSource], base: Path | None) -> list[NamedSource]:
    """The sources without optional ones whose files are not there, which are left out with a notice."""
    found = []
    for source in sources:
        lacks = missing(source, base) if source.optional else ""
        if lacks:
            log.warning("%s is left out: %s", source.name, lacks)
        else:
            found.append(source)
    return found


def missing(source: Source, base: Path | None) -> str:
    """Which files of a source are not there, and from where they are had, as far as is known without opening an image; "" where all are there.

    Raises:
        BadConfig: a parameter that the data set does not take.
        BadInput: a list file that is there and cannot be used.
    """
    if source.dataset in files:
        try:
            read_by(source, base)
        except MissingFiles as error:
            return str(error)
        return ""
    path = resolved(source, base)
    return f"{shown(path)} does not exist" if path is not None and not there(path) else ""


def check_distinct(sources: Sequence[NamedSource]) -> None:
    """Whether every source has a name of its own; nothing is read.

    Raises:
        BadInput: two have the same, so that tables would show one of them only; names both.
    """
    seen: dict[str, NamedSource] = {}
    for source in sources:
        other = seen.setdefault(_same(source.name), source)
        if other is not source:
            both = " and ".join(shown(each.path or f"{each.dataset} {each.params}") for each in (other, source))
            raise BadInput(f"two sources are called {source.name!r}: {both}; tables know sets by name, so give each its own.")


def check_source(source: Source, base: Path | None) -> None:
    """Whether a source can be loaded, as far as is known without opening a file; quick.

    Raises:
        BadConfig: unknown data set, or a parameter it does not take, needs, or cannot take with this value; lists those it takes.
        BadInput: no path where one is needed, nothing there, or a path that settings cannot hold.
        MissingFiles: a data set that says what it reads has not got it.
    """
    hints = _check_params(source)
    path = resolved(source, base)
    if path is not None and shown(path) != str(path):
        raise BadInput(f"{shown(path)}: the folder's or file's own name is not UTF-8, so that settings cannot hold it; rename it.")
    if source.dataset in files:
        read_by(source, base)
    elif hints.get("path") is Path:
        if path is None:
            raise BadInput(f"the data set {source.dataset!r} needs a path: give it with --data or in the source's `path`.")
        if not there(path):
            raise BadInput(f"{path} does not exist, so {source.dataset!r} is not a folder or file to read; check the path.")


def aligned(test: ImageSet, classes: Sequence[str], train_name: str) -> ImageSet:
    """A test set whose labels are positions in the classes of the training set, found by name.

    Names are compared after Unicode normalisation (NFC): one system writes an accent as part of the letter, another after it. Of several
    classes of one name the first is the first, and so on.

    Args:
        test: labelled images; a class that none of them has does not matter.
        classes: C class names of the training set, in label order. train_name: what errors call it.

    Returns:
        The same images in the same order, with `classes` as classes.

    Raises:
        BadInput: a class that training does not know, or unlabelled images beside a labelled training set; names it.
    """
    if tuple(test.classes) == tuple(classes):
        return test
    place = {name: position for position, name in enumerate(_numbered(classes))}
    used = np.unique(test.labels)
    names = _numbered(test.classes)
    unknown = [test.classes[label] for label in used if names[label] not in place]
    if unknown == ["unlabelled"] and test.classes == ("unlabelled",):
        raise BadInput(
            f"{test.name} has images without labels, but {train_name} has the classes {_some(classes)}: ID test images need the same classes; "
            "put them into a subfolder, or give them a label, for each class."
        )
    if unknown:
        raise BadInput(
            f"{test.name}: training does not know the class {', '.join(map(repr, unknown[:9]))}; {train_name} has {_some(classes)}. "
            "Rename it as in the training set, or remove it: images of other classes are OOD."
        )
    positions = np.zeros(len(names), dtype=np.int64)
    positions[used] = [place[names[label]] for label in used]
    return replace(test, classes=tuple(classes), labels=positions[test.labels])


def split_validation(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Training and validation images: disjoint, together everything, `share` of each class rounded to whole images.

    A class keeps at least one image on each side; rows stay in order.

    Raises:
        BadInput: there is one class only, or a class has one image only.
    """
    if len(np.unique(images.labels)) < 2:
        raise BadInput(
            f"{images.name}: ID images need at least two classes, found {', '.join(images.classes)}; expected a subfolder or label for each."
        )
    held = held_out(images, share, seed)
    return images.take(np.flatnonzero(~held)), images.take(np.flatnonzero(held))


def resolved(source: Source, base: Path | None) -> Path | None:
    """The source's path; a relative one starts at the folder `base`, or at the folder of the file `base`."""
    if not source.path:
        return None
    path = expanded(source.path)
    return path if base is None else (base.parent if base.is_file() else base) / path


def read_by(source: Source, base: Path | None) -> list[Path]:
    """What a data set says that it reads; see `Files`."""
    _check_params(source)
    return files[source.dataset](resolved(source, base), source.split, **source.params)


def _check_params(source: Source) -> Mapping[str, Any]:
    """Whether a data set takes a source's parameters: names, and types as annotated, which are returned."""
    reader = dataset[source.dataset]
    hints = get_type_hints(reader)
    known = list(inspect.signature(reader).parameters.values())
    takes = {each.name: each for each in known if each.kind is each.KEYWORD_ONLY}
    free = any(each.kind is each.VAR_KEYWORD for each in known)
    listed = ", ".join(takes) or "none"
    unknown = {name: value for name, value in source.params.items() if name not in takes and not free}
    if unknown:
        pairs = ", ".join(f"{name} = {value!r}" for name, value in unknown.items())
        raise BadConfig(f"data set {source.dataset!r} does not take params {pairs}; its parameters: {listed}.")
    missing = [name for name, each in takes.items() if each.default is each.empty and name not in source.params]
    if missing:
        raise BadConfig(f"data set {source.dataset!r} needs params {', '.join(missing)}; its parameters: {listed}.")
    for name, value in source.params.items():
        if name not in hints:
            continue
        try:
            TypeAdapter(hints[name]).validate_python(value, strict=True)
        except ValidationError as error:
            raise BadConfig(f"data set {source.dataset!r}: params {name} = {value!r}: {error.errors()[0]['msg']}.") from error
    return hints


def _tell(images: ImageSet) -> None:
    """What was left out, in one line; hidden files alone are no news."""
    kinds = counted(images.skipped)
    if set(kinds) - {"hidden"}:
        first = next(entry for entry in images.skipped if entry.kind != "hidden")
        listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        log.warning("%s: %d left out (%s); the first: %s", images.name, sum(kinds.values()), listed, first.reason)


def _same(name: str) -> str:
    """A name such that equal-looking ones are equal."""
    return unicodedata.normalize("NFC", name)


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    """Each name as compared, with how many of that name came before."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(_same, names):
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")


def _spread(labels: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """`limit` rows, or all: evenly over the rows sorted by class, so that no order of the classes leaves one out; in the set's own order."""
    count = min(len(labels), limit)
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[np.arange(count, dtype=np.int64) * len(labels) // count])
