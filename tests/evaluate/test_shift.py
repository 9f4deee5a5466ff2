"""Shift tables: means and rescaling by cell."""

import numpy as np
import pytest

from badood.core.errors import BadInput
from badood.evaluate.shift import shift_table

LEVELS = {"semantic": np.repeat(np.arange(8.0), 16), "covariate": np.tile(np.repeat(np.arange(8.0), 2), 8)}


def test_means_and_rescaling_are_by_cell_and_method() -> None:
    scores = {"semantic only": 3 * LEVELS["semantic"] - 5, "flat": np.full(128, 2.5)}
    table = shift_table(LEVELS, scores)
    assert len(table) == 2 * 64
    assert (table["count"] == 2).all()
    ours = table[table["method"] == "semantic only"]
    np.testing.assert_allclose(ours["mean_anomaly"], 3 * ours["semantic"] - 5)
    np.testing.assert_allclose(ours["rescaled"], ours["semantic"] / 7)
    assert (table.loc[table["method"] == "flat", "rescaled"] == 0).all()


def test_cells_without_images_are_left_out() -> None:
    rows = (LEVELS["semantic"] > 0) | (LEVELS["covariate"] > 0)
    table = shift_table({name: values[rows] for name, values in LEVELS.items()}, {"a": np.arange(rows.sum())})
    assert len(table) == 63


def test_bad_scores_are_named() -> None:
    with pytest.raises(BadInput, match=r"knn have shape \(3,\)"):
        shift_table(LEVELS, {"knn": np.zeros(3)})
    with pytest.raises(BadInput, match="1 of 128 scores of knn"):
        shift_table(LEVELS, {"knn": np.where(np.arange(128) == 4, np.nan, 1.0)})
    with pytest.raises(BadInput, match="covariate"):
        shift_table({"semantic": LEVELS["semantic"]}, {})
