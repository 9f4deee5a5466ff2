"""A share of every class, set apart."""

import numpy as np
from numpy.typing import NDArray

from badood.core.errors import BadInput
from badood.data.record import ImageSet


def held_out(images: ImageSet, share: float, seed: int) -> NDArray[np.bool_]:
    """(N,) True for `share` of each class, rounded to whole images; a class keeps at least one image on each side.

    Raises:
        BadInput: a class has one image only.
    """
    rng = np.random.default_rng([seed, 0x5B117])
    held = np.zeros(len(images), dtype=bool)
    for label in np.unique(images.labels):
        rows = np.flatnonzero(images.labels == label)
        if len(rows) < 2:
            raise BadInput(
                f"{images.name}: class {images.classes[label]!r} has one usable image ({images.ids[rows[0]]}), but one is needed on each side "
                "of a split: add images or remove the class."
            )
        count = min(max(round(share * len(rows)), 1), len(rows) - 1)
        held[rng.permutation(rows)[:count]] = True
    return held


def only_split(images: ImageSet, split: str, holdout: float) -> ImageSet:
    """The part of an undivided set that plays `split`: `holdout` of each class is "test", the rest "train"; 0 gives all to both."""
    if not 0 <= holdout < 1:
        raise BadInput(
            f"{images.name}: holdout = {holdout}; it is the share of each class kept for testing, from 0 (all in both) to below 1."
        )
    if holdout == 0:
        return images
    held = held_out(images, holdout, seed=0)
    return images.take(np.flatnonzero(held if split == "test" else ~held))
