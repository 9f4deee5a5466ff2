"""What is told of OOD sets that say little."""

import numpy as np
import pytest

from badood.data.record import ImageSet, from_array
from badood.explore.finished import Finished
from badood.pipeline.notices import FEW_OOD, of_ood


def images(classes: list[str], count: int = FEW_OOD) -> ImageSet:
    """Images whose labels go round the classes."""
    pixels = np.zeros((count, 4, 4, 3), dtype=np.uint8)
    return from_array("set", pixels, np.arange(count, dtype=np.int64) % len(classes), tuple(classes))


def test_a_set_of_fewer_than_a_hundred_images_is_told() -> None:
    (told,) = of_ood(["cat", "dog"], {"large": images(["crown"]), "small": images(["crown"], FEW_OOD - 1)})
    assert "OOD set small has 99 images, fewer than 100" in told


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ("polar bear", "polar bear"),
        ("polar_bear", "Polar-Bear"),
        ("n01443537", "goldfish"),
        ("goldfish", "n01443537"),
        ("café", "cafe\u0301"),
    ],
)
def test_classes_in_common_are_told_however_they_are_spelt(known: str, other: str) -> None:
    (told,) = of_ood(["cat", known], {"odd": images(["crown", other])})
    assert "OOD set odd has 1 of its 2 classes in common with the ID images" in told
    assert other in told
    assert "crown" not in told


def test_many_classes_in_common_are_counted_and_some_named() -> None:
    names = [f"kind {letter}" for letter in "abcdefgh"]
    (told,) = of_ood(names, {"again": images(names)})
    assert "8 of its 8 classes" in told
    assert "kind a, kind b, kind c, kind d, kind e and 3 more" in told


def test_what_no_image_is_of_is_not_told_nor_are_numbers() -> None:
    shared = images(["crown", "cat"])
    without_cats = shared.take(np.flatnonzero(shared.labels == 0).repeat(2))
    assert of_ood(["cat"], {"odd": without_cats}) == []
    assert of_ood(["0", "1"], {"list": images(["0", "1", "unlabelled"])}) == []
    assert of_ood(["cat", "catfish"], {"odd": images(["cat food", "fish"])}) == []


def test_a_run_keeps_what_is_told_of_its_sets(small_run: Finished) -> None:
    assert [told for told in small_run.run.record["notices"] if "has 40 images, fewer than 100" in told] != []
