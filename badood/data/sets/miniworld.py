"""MiniWorld, and its grid of shift levels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.core.seeds import derive_seed
from badood.data import dataset
from badood.data.miniworld.classes import FAR_CLASSES, ID_CLASSES, NEAR_CLASSES, class_names
from badood.data.miniworld.factors import FACTORS, LEVELS
from badood.data.miniworld.render import Plan, render
from badood.data.miniworld.rendered import rendered_set
from badood.data.record import ImageSet


@dataset("miniworld")
def miniworld(
    path: Path | None,
    split: str,
    *,
    classes: str | Sequence[str] = "id",
    count: int,
    seed: int = 0,
    size: int = 64,
    semantic: int = 0,
    covariate: int = 0,
    factors: Sequence[str] | None = None,
    partners: Sequence[str] | None = None,
) -> ImageSet:
    """Rendered RGB images of objects, in class order 0, 1, 2, ..., 0, 1, 2, ...

    Args:
        path: none; the images are rendered.
        split: "train" or "test"; the two share no image.
        classes: a group (id, auxiliary, near, far, foreign) or class names.
        count: number of images.
        seed: another seed, other images.
        size: height and width in px.
        semantic: 0 = the class itself ... 7 = morphed into a partner class.
        covariate: 0 = clean ... 7 = a covariate factor at its strongest.
        factors: covariate factors to pick from, one an image; none = all eight.
        partners: foreign classes to morph into, one an image; none = near and far.

    Raises:
        BadInput: a path is given, or a class, level, factor or size does not exist.
    """
    if path is not None:
        raise BadInput(f"miniworld renders its images and reads none from {path}; give --dataset folder or --dataset parquet with --data.")
    names = class_names(classes)
    if count < 1:
        raise BadInput(f"miniworld: count = {count}; it takes at least one image.")
    labels = np.arange(count, dtype=np.int64) % len(names)
    level = (np.full(count, semantic, dtype=np.int64), np.full(count, covariate, dtype=np.int64))
    plan = _plan(names, labels, level, derive_seed(seed, split), factors, partners)
    return _image_set(f"miniworld/{split}", plan, labels, names, size)


@dataset("miniworld-grid")
def miniworld_grid(
    path: Path | None,
    split: str,
    *,
    per_cell: int,
    seed: int = 0,
    size: int = 64,
    factors: Sequence[str] | None = None,
    partners: Sequence[str] | None = None,
) -> ImageSet:
    """ID objects at all 8 semantic x 8 covariate levels, `per_cell` images each; the levels are in `ImageSet.levels`.

    The same objects, backgrounds, partners and factors return in every cell, so cells differ by their levels only.

    Args:
        path: unused.
        split: "train" or "test".
        per_cell: images a cell.
        seed: another seed, other images.
        size: height and width in px.
        factors: as in `miniworld`.
        partners: as in `miniworld`.
    """
    index = np.tile(np.arange(per_cell, dtype=np.int64), LEVELS * LEVELS)
    cell = np.repeat(np.arange(LEVELS * LEVELS, dtype=np.int64), per_cell)
    labels = index % len(ID_CLASSES)
    plan = _plan(ID_CLASSES, labels, (cell // LEVELS, cell % LEVELS), derive_seed("grid", seed, split), factors, partners, index=index)
    return _image_set(f"miniworld-grid/{split}", plan, labels, ID_CLASSES, size)


def _plan(
    names: tuple[str, ...],
    labels: NDArray[np.int64],
    levels: tuple[NDArray[np.int64], NDArray[np.int64]],
    seed: int,
    factors: Sequence[str] | None,
    partners: Sequence[str] | None,
    *,
    index: NDArray[np.int64] | None = None,
) -> Plan:
    """What each image shows; partner and factor go round their lists, out of step with the classes."""
    for level, kind in zip(levels, ("semantic", "covariate"), strict=True):
        if len(level) and not (level.min() >= 0 and level.max() < LEVELS):
            raise BadInput(f"miniworld: {kind} = {level[0]}; levels go from 0 to {LEVELS - 1}.")
    chosen = list(FACTORS) if factors is None else list(factors)
    unknown = [factor for factor in chosen if factor not in FACTORS]
    if unknown or not chosen:
        raise BadInput(f"miniworld: factors = {chosen!r}; each must be one of {', '.join(FACTORS)}.")
    others = class_names(NEAR_CLASSES + FAR_CLASSES if partners is None else list(partners))
    index = np.arange(len(labels), dtype=np.int64) if index is None else index
    rounds = index // len(names)
    return Plan(
        seed=seed,
        index=index,
        name=np.asarray(names)[labels],
        partner=np.asarray(others)[(index + rounds) % len(others)],
        semantic=levels[0],
        covariate=levels[1],
        factor=np.asarray(chosen)[(index + rounds) % len(chosen)],
    )


def _image_set(name: str, plan: Plan, labels: NDArray[np.int64], classes: tuple[str, ...], size: int) -> ImageSet:
    if not 8 <= size <= 1024:
        raise BadInput(f"miniworld: size = {size} px; it takes 8 to 1024.")
    levels = {"semantic": plan.semantic, "covariate": plan.covariate}
    return rendered_set(name, lambda rows: render(plan.take(rows), size), labels, classes, size, levels)
