"""Rows of files are those of the arrays, however they are asked for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badood.core.rows import Rows, evenly, pieces


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Path, ...], np.ndarray]:
    """Three files of 5, 1 and 7 rows, and all of their rows."""
    folder, rows = tmp_path_factory.mktemp("rows"), np.random.default_rng(0).integers(0, 256, (13, 3, 2, 2), dtype=np.uint8)
    for place, part in enumerate((rows[:5], rows[5:6], rows[6:])):
        np.save(folder / f"{place}.npy", part)
    return tuple(folder / f"{place}.npy" for place in range(3)), rows


@given(st.lists(st.integers(0, 12)))
def test_any_rows_come_in_the_order_asked_for(files: tuple[tuple[Path, ...], np.ndarray], numbers: list[int]) -> None:
    rows, whole = Rows(files[0]), files[1]
    np.testing.assert_array_equal(rows.array(numbers), whole[np.array(numbers, dtype=int)])
    np.testing.assert_array_equal(rows[numbers].numpy(), whole[np.array(numbers, dtype=int)])
    assert rows.array(numbers).dtype == np.uint8


@given(st.slices(13))
def test_slices_are_numpys(files: tuple[tuple[Path, ...], np.ndarray], piece: slice) -> None:
    np.testing.assert_array_equal(Rows(files[0]).array(piece), files[1][piece])


@given(st.lists(st.booleans(), min_size=13, max_size=13), st.data())
def test_some_of_some_are_numpys(files: tuple[tuple[Path, ...], np.ndarray], mask: list[bool], data: st.DataObject) -> None:
    some, expected = Rows(files[0]).take(np.array(mask)), files[1][np.array(mask)]
    assert len(some) == len(expected)
    np.testing.assert_array_equal(some.array(), expected)
    if len(expected):
        numbers = np.array(data.draw(st.lists(st.integers(0, len(expected) - 1))), dtype=np.int64)
        np.testing.assert_array_equal(some.take(numbers).array(), expected[numbers])
        np.testing.assert_array_equal(some.array(numbers), expected[numbers])


def test_what_is_read_is_a_copy_and_a_row_beyond_the_end_is_an_error(files: tuple[tuple[Path, ...], np.ndarray]) -> None:
    rows = Rows(files[0])
    rows.array()[:] = 0
    np.testing.assert_array_equal(rows.array(), files[1])
    with pytest.raises(IndexError):
        rows.array([13])
    assert rows.row_shape == (3, 2, 2)


@given(st.integers(1, 500), st.integers(1, 60))
def test_pieces_and_even_rows_cover_what_they_say(total: int, size: int) -> None:
    parts = list(pieces(total, size))
    assert [row for part in parts for row in range(total)[part]] == list(range(total))
    assert all(len(range(total)[part]) <= size for part in parts)
    chosen = evenly(total, size)
    assert len(chosen) == min(total, size) == len(set(chosen.tolist()))
    assert chosen.tolist() == sorted(chosen.tolist())
    assert (chosen[0], chosen[-1]) == (0, total - 1) or len(chosen) == 1
