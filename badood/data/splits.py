"""From a setting to images: sources resolved, limited, and split into training and validation."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.config import NamedSource, Source
from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.holdout import held_out
from badood.data.record import ImageSet

log = logging.getLogger(__name__)


def load(source: Source, base: Path | None) -> ImageSet:
    """The images a source names.

    Args:
        source: data set, path, split, limit, params.
        base: where a relative path starts; none = the working directory.

    Raises:
        BadInput: unknown data set, a parameter it does not take, or files it cannot use.
    """
    path = _resolve(source, base)
    try:
        images: ImageSet = dataset[source.dataset](path, source.split, **source.params)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise BadInput(f"data set {source.dataset!r} does not take params {source.params!r}: {error}") from error
    if not len(images):
        raise BadInput(f"{images.name} has no image ({path or source.dataset}); check path, split and params.")
    if images.skipped:
        log.warning("%s: %d images left out; the first: %s", images.name, len(images.skipped), images.skipped[0].reason)
    return images if source.limit is None else images.take(_spread(images.labels, source.limit))


def load_optional(sources: Sequence[NamedSource], base: Path | None) -> list[ImageSet]:
    """`load` of every source, under the sources' names; optional ones whose path is not there are left out with a notice."""
    found = []
    for source in sources:
        path = _resolve(source, base)
        if source.optional and path is not None and not path.exists():
            log.warning("%s is left out: %s does not exist", source.name, path)
            continue
        found.append(load(source, base).named(source.name))
    return found


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


def _resolve(source: Source, base: Path | None) -> Path | None:
    """The source's path; a relative one starts at the folder `base`, or at the folder of the file `base`."""
    if source.path is None or base is None:
        return Path(source.path).expanduser() if source.path else None
    return (base.parent if base.is_file() else base) / Path(source.path).expanduser()


def _spread(labels: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """`limit` rows, or all: evenly over the rows sorted by class, so that no order of the classes leaves one out; in the set's own order."""
    count = min(len(labels), limit)
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[np.arange(count, dtype=np.int64) * len(labels) // count])
