"""How far reviewers agree."""

import numpy as np
import pandas as pd
import pytest

from badood.explore.reviewers import agreement


def judged(**of: str) -> pd.DataFrame:
    """A letter an outlier: k(eep), r(eject), - = not judged."""
    names = {"k": "keep", "r": "reject"}
    rows = [(who, place, names[letter]) for who, letters in of.items() for place, letter in enumerate(letters) if letter in names]
    return pd.DataFrame(rows, columns=["who", "outlier_id", "verdict"])


def test_kappa_is_cohens() -> None:
    """His formula by hand: 8 of 10 the same; by chance 0.6 x 0.6 + 0.4 x 0.4 = 0.52."""
    (row,) = agreement(judged(ada="kkkkkkrrrr-", bob="kkkkkrkrrrk")).to_dict("records")
    assert (row["one"], row["other"], row["both"]) == ("ada", "bob", 10)
    assert row["same"] == pytest.approx(0.8)
    assert row["kappa"] == pytest.approx((0.8 - 0.52) / (1 - 0.52))


def test_pairs_without_a_common_outlier_are_left_out() -> None:
    table = agreement(judged(ada="kk--", bob="--rr", eve="kkrr"))
    assert table[["one", "other"]].to_numpy().tolist() == [["ada", "eve"], ["bob", "eve"]]


def test_one_verdict_only_says_nothing() -> None:
    (row,) = agreement(judged(ada="kkk", bob="kkk")).to_dict("records")
    assert row["same"] == 1
    assert np.isnan(row["kappa"])


def test_nobody_has_judged() -> None:
    assert agreement(judged()).empty
    assert agreement(judged(ada="kr")).empty
