"""Means and shares with intervals."""

import numpy as np
import pytest

from badood.evaluate.paired import mean_of, share_of


def test_the_interval_is_students() -> None:
    found = mean_of([1.0, 2.0, 4.0, np.nan])
    # t of 2 degrees of freedom at 97.5 %: 4.302653; the standard error of 1, 2, 4 is 0.881917
    assert found.mean == pytest.approx(7 / 3)
    assert (found.lo, found.hi) == pytest.approx((7 / 3 - 4.302653 * 0.881917, 7 / 3 + 4.302653 * 0.881917), rel=1e-5)
    assert found.count == 3
    assert not found.told_apart
    assert mean_of([1.0, 1.1, 0.9]).told_apart
    assert mean_of([-1.0, -1.1, -0.9]).told_apart


def test_too_few_values_have_no_interval() -> None:
    assert mean_of([np.nan]).count == 0
    one = mean_of([0.3])
    assert one.mean == 0.3
    assert np.isnan([one.lo, one.hi]).all()
    assert not one.told_apart
    equal = mean_of([0.2, 0.2])
    assert (equal.lo, equal.hi) == (0.2, 0.2)


def test_a_share_has_wilsons_interval() -> None:
    found = share_of(0, 20)
    assert (found.mean, found.lo) == (0, 0)
    assert found.hi == pytest.approx(0.1611, abs=1e-4)
    assert share_of(0, 0).count == 0
