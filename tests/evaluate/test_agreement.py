"""Rank correlations with intervals."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from badood.evaluate.agreement import Agreement, agreement


def test_it_is_spearmans_with_fishers_interval() -> None:
    rng = np.random.default_rng(0)
    foretold = rng.normal(size=40)
    real = foretold + rng.normal(size=40)
    found = agreement(foretold, np.exp(real))
    assert found.spearman == pytest.approx(spearmanr(foretold, real).statistic)
    half = 1.959964 / np.sqrt(40 - 3)
    assert [found.lo, found.hi] == pytest.approx(np.tanh(np.arctanh(found.spearman) + np.array([-half, half])), rel=1e-5)
    assert found.trusted
    assert not agreement(foretold, -real).trusted


@pytest.mark.parametrize(("foretold", "real"), [([1, 2, 3], [1, 2, 3]), ([1] * 9, range(9)), (range(9), [0.5] * 9), ([], [])])
def test_what_says_nothing_says_so(foretold: list[float], real: list[float]) -> None:
    assert agreement(list(foretold), list(real)) == Agreement(0.0, -1.0, 1.0, len(list(real)))
    assert not agreement(list(foretold), list(real)).trusted
