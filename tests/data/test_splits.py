"""Sources, limits, validation splits."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badood.config import NamedSource, Source
from badood.core.errors import BadInput
from badood.data.record import ImageSet, concatenate, from_array
from badood.data.splits import load, load_optional, split_validation


def numbered(labels: list[int], name: str = "set") -> ImageSet:
    """Images whose first pixel is their row."""
    pixels = np.zeros((len(labels), 2, 2, 3), dtype=np.uint8)
    pixels[:, 0, 0, 0] = np.arange(len(labels))
    return from_array(name, pixels, np.array(labels), tuple("abcde"))


@given(st.lists(st.integers(0, 4), min_size=4, max_size=80), st.floats(0.01, 0.89), st.integers(0, 9))
def test_validation_is_a_stratified_partition(labels: list[int], share: float, seed: int) -> None:
    labels = [*labels, 0, 0, 1, 1, *sorted(set(labels))]
    images = numbered(labels)
    train, held = split_validation(images, share, seed)
    assert sorted(train.ids + held.ids) == sorted(images.ids)
    for label in set(labels):
        total, kept = labels.count(label), int((held.labels == label).sum())
        assert 1 <= kept < total
        assert abs(kept - share * total) <= 1
    again = split_validation(images, share, seed)
    assert again[1].ids == held.ids


def test_another_seed_gives_another_split() -> None:
    images = numbered([0, 1] * 40)
    assert split_validation(images, 0.5, 0)[1].ids != split_validation(images, 0.5, 1)[1].ids


def test_classes_too_small_to_split_are_named() -> None:
    with pytest.raises(BadInput, match=r"class 'c' has one usable image \(set/4\)"):
        split_validation(numbered([0, 0, 1, 1, 2]), 0.1, 0)
    with pytest.raises(BadInput, match="at least two classes"):
        split_validation(numbered([0, 0, 0]), 0.1, 0)


@given(st.integers(1, 200))
def test_limit_is_even_over_classes(limit: int) -> None:
    whole = Source(dataset="miniworld", params={"count": 120})
    images = load(whole.model_copy(update={"limit": limit}), None)
    assert len(images) == min(limit, 120)
    counts = np.bincount(images.labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    assert len(set(images.ids)) == len(images)


def test_reads_follow_the_rows_through_takes_and_joins() -> None:
    joined = concatenate("both", [numbered([0, 1, 2], "one").take(np.array([2, 0])), numbered([0, 0, 1], "two")])
    assert [int(joined.read(row)[0, 0, 0]) for row in range(5)] == [2, 0, 0, 1, 2]
    assert joined.classes == ("one", "two")
    assert joined.labels.tolist() == [0, 0, 1, 1, 1]
    assert joined.take(np.array([4, 1])).pixels(2)[:, 0, 0, 0].tolist() == [2, 0]


def test_an_optional_source_without_files_is_left_out_with_a_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing = NamedSource(name="absent", dataset="folder", path="not/here", optional=True)
    there = NamedSource(name="waves", dataset="textures", params={"count": 2, "size": 8})
    (found,) = load_optional([missing, there], tmp_path)
    assert found.name == "waves"
    assert "absent is left out" in caplog.text
    with pytest.raises(BadInput, match="not/here"):
        load_optional([missing.model_copy(update={"optional": False})], tmp_path)


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(BadInput, match=r"'textures' does not take params .*colour"):
        load(Source(dataset="textures", params={"count": 2, "colour": "red"}), None)
    with pytest.raises(BadInput, match="did you mean miniworld"):
        load(Source(dataset="minworld"), None)
