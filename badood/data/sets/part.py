"""A part of another data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from badood.config import Source
from badood.core.errors import BadConfig
from badood.data import dataset, files
from badood.data.record import ImageSet
from badood.data.splits import check_source, load, read_by


@dataset("part")
def part(
    path: Path | None,
    split: str,
    *,
    of: str,
    params: dict[str, Any] | None = None,
    classes: list[str] | None = None,
    thinned: float = 0.0,
    seed: int = 0,
) -> ImageSet:
    """Some classes of another data set, or classes of unequal size.

    Args:
        path: of the other data set. split: of the other data set.
        of: its name. params: its own arguments.
        classes: names of those to keep, in this order; none = all.
        thinned: each class loses a random share of its images between 0 and this, below 1. seed: of which.

    Raises:
        BadConfig: a class that the other one does not have, or a share out of range.
    """
    images = load(_inner(path, split, of, params), None)
    if not 0 <= thinned < 1:
        raise BadConfig(f"data set 'part': thinned = {thinned:g}; give a share from 0 to below 1.")
    names = images.classes if classes is None else tuple(classes)
    unknown = sorted(set(names) - set(images.classes))
    if unknown or not names:
        raise BadConfig(f"{images.name} has no class {', '.join(unknown) or '(none is named)'}; it has {', '.join(images.classes)}.")
    position = {name: place for place, name in enumerate(names)}
    place_of = np.array([position.get(name, -1) for name in images.classes])
    labels = place_of[images.labels]
    taken = images.take(np.flatnonzero((labels >= 0) & _kept(labels, thinned, seed)))
    return ImageSet(taken.name, names, place_of[taken.labels], taken.read, taken.ids, taken.skipped, taken.levels)


def whole(source: Source) -> Source:
    """The data set that a source is a part of; the source itself where it is none."""
    if source.dataset != "part":
        return source
    return whole(source.model_copy(update={"dataset": str(source.params.get("of")), "params": source.params.get("params") or {}}))


@files("part")
def _files(path: Path | None, split: str, *, of: str, params: dict[str, Any] | None = None, **_: Any) -> list[Path]:
    inner = _inner(path, split, of, params)
    check_source(inner, None)
    return read_by(inner, None) if of in files else [] if path is None else [path]


def _inner(path: Path | None, split: str, of: str, params: Mapping[str, Any] | None) -> Source:
    return Source.model_validate({"dataset": of, "path": None if path is None else str(path), "split": split, "params": dict(params or {})})


def _kept(labels: NDArray[np.int64], thinned: float, seed: int) -> NDArray[np.bool_]:
    """(N,) which images stay, at least one of each class."""
    rng, kept = np.random.default_rng([seed, 0x7A1]), np.ones(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        kept[rows[: min(len(rows) - 1, round(rng.uniform(0, thinned) * len(rows)))]] = False
    return kept
