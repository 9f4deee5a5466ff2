"""Shift tables: means, rescaling and AUROC by cell, and what they sum up to; values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from badood.core.errors import BadInput
from badood.evaluate.metrics import placements
from badood.evaluate.shift import shift_summary, shift_table

LEVELS = {"semantic": np.repeat(np.arange(8.0), 16), "covariate": np.tile(np.repeat(np.arange(8.0), 2), 8)}


def table_of(scores: dict[str, NDArray], of_id: NDArray, levels: dict[str, NDArray] = LEVELS) -> pd.DataFrame:
    """Every method against the same ID scores."""
    return shift_table(levels, scores, {name: placements(of_id, score) for name, score in scores.items()})


def cells(auroc: list[list[float]], count: int | list[list[int]] = 10, method: str = "a") -> pd.DataFrame:
    """A shift table by its AUROC: a row a semantic, a column a covariate level; NaN = no such cell."""
    values = np.array(auroc)
    semantic, covariate = np.indices(values.shape).reshape(2, -1)
    counts = np.broadcast_to(count, values.shape).ravel()
    table = {"method": method, "semantic": semantic, "covariate": covariate, "auroc": values.ravel(), "count": counts}
    return pd.DataFrame(table).dropna(ignore_index=True)


def summary(auroc: list[list[float]], count: int | list[list[int]] = 10) -> dict[str, float]:
    """The four figures of the one method."""
    (row,) = shift_summary(cells(auroc, count)).drop(columns="method").to_dict("records")
    return row


def test_means_and_rescaling_are_by_cell_and_method() -> None:
    table = table_of({"semantic only": 3 * LEVELS["semantic"] - 5, "flat": np.full(128, 2.5)}, np.zeros(4))
    assert len(table) == 2 * 64
    assert (table["count"] == 2).all()
    ours = table[table["method"] == "semantic only"]
    np.testing.assert_allclose(ours["mean_anomaly"], 3 * ours["semantic"] - 5)
    np.testing.assert_allclose(ours["rescaled"], ours["semantic"] / 7)
    assert (table.loc[table["method"] == "flat", "rescaled"] == 0).all()


def test_auroc_of_a_cell_is_against_all_id_images_with_ties_half() -> None:
    levels = {"semantic": np.array([0.0, 0, 1, 1, 1]), "covariate": np.array([0.0, 0, 0, 2, 2])}
    table = table_of({"a": np.array([0.5, 1.5, 2.0, 9.0, -9.0])}, np.array([3.0, 0.0, 2.0, 1.0]), levels)
    assert table[["semantic", "covariate", "auroc", "count"]].to_numpy().tolist() == [
        [0, 0, (1 / 4 + 2 / 4) / 2, 2],
        [1, 0, 2.5 / 4, 1],  # above two, level with the third
        [1, 2, (1 + 0) / 2, 2],
    ]


def test_auroc_of_every_cell_is_sklearns() -> None:
    rng = np.random.default_rng(0)
    score, of_id = rng.integers(0, 9, 128).astype(float), rng.integers(0, 9, 50).astype(float)
    for row in table_of({"a": score}, of_id).itertuples():
        cell = score[(LEVELS["semantic"] == row.semantic) & (LEVELS["covariate"] == row.covariate)]
        expected = roc_auc_score(np.repeat([0, 1], [len(of_id), len(cell)]), np.concatenate([of_id, cell]))
        assert row.auroc == pytest.approx(expected, abs=1e-12)


def test_cells_without_images_are_left_out() -> None:
    rows = (LEVELS["semantic"] > 0) | (LEVELS["covariate"] > 0)
    table = table_of({"a": np.arange(rows.sum())}, np.arange(3), {name: values[rows] for name, values in LEVELS.items()})
    assert len(table) == 63


def test_bad_scores_are_named() -> None:
    with pytest.raises(BadInput, match=r"knn have shape \(3,\)"):
        table_of({"knn": np.zeros(3)}, np.zeros(3))
    with pytest.raises(BadInput, match="1 of 128 scores of knn"):
        shift_table(LEVELS, {"knn": np.where(np.arange(128) == 4, np.nan, 1.0)}, {"knn": np.zeros(128)})
    with pytest.raises(BadInput, match="covariate"):
        shift_table({"semantic": LEVELS["semantic"]}, {}, {})


def test_correlation_and_slope_are_of_the_means_by_level() -> None:
    # by semantic level 0.5, 0.9, 0.7: slope (-1 * -0.2 + 0 + 1 * 0) / 2, correlation 0.2 / sqrt(2 * 0.08); by covariate level 0.6, 0.8
    found = summary([[0.4, 0.6], [0.8, 1.0], [0.6, 0.8]])
    assert found == pytest.approx(
        {"semantic_correlation": 0.5, "semantic_slope": 0.1, "covariate_correlation": 1.0, "covariate_slope": 0.2}
    )


def test_they_are_the_originals_on_a_full_grid() -> None:
    auroc = np.random.default_rng(3).random((8, 8))
    found = summary(auroc.tolist())
    for kind, mean in (("semantic", auroc.mean(axis=1)), ("covariate", auroc.mean(axis=0))):
        assert found[f"{kind}_correlation"] == pytest.approx(pearsonr(mean, np.arange(1, 9)).statistic)
        assert found[f"{kind}_slope"] == pytest.approx(abs(np.polyfit(np.arange(1, 9), mean, 1)[0]))


def test_a_method_whose_auroc_falls_has_a_negative_correlation_and_comes_last() -> None:
    falling, rising = [[0.9, 0.9], [0.5, 0.5]], [[0.5, 0.5], [0.7, 0.7]]
    table = pd.concat([cells(falling, method="falling"), cells([[0.5] * 2] * 2, method="flat"), cells(rising, method="rising")])
    found = shift_summary(table).set_index("method")
    assert list(found.index) == ["rising", "flat", "falling"]
    assert found["semantic_correlation"].loc[["rising", "falling"]].tolist() == [1, -1]
    assert found["semantic_slope"].tolist() == pytest.approx([0.2, 0, 0.4])


def test_constant_scores_have_no_slope_and_no_correlation() -> None:
    (row,) = shift_summary(table_of({"a": np.full(128, 3.0)}, np.full(7, 3.0))).to_dict("records")
    assert (row["semantic_slope"], row["covariate_slope"]) == (0, 0)
    assert np.isnan([row["semantic_correlation"], row["covariate_correlation"]]).all()
    # a mean that rounds to other last digits by level is constant, too
    assert np.isnan(summary([[0.1, 0.7, 0.4], [0.4, 0.1, 0.7]])["semantic_correlation"])


def test_cells_and_levels_without_images_count_for_nothing() -> None:
    nan = np.nan
    # by semantic level 0.5, 0.8, none, 0.9: slope about the mean level 4/3 of (0, 1, 3)
    found = summary([[0.5, nan], [0.7, 0.9], [nan, nan], [nan, 0.9]])
    assert found["semantic_slope"] == pytest.approx(np.polyfit([0, 1, 3], [0.5, 0.8, 0.9], 1)[0])
    assert found["semantic_correlation"] == pytest.approx(pearsonr([0, 1, 3], [0.5, 0.8, 0.9]).statistic)
    assert found["covariate_slope"] == pytest.approx(0.9 - 0.6)
    assert np.isnan(list(summary([[0.5]]).values())).all(), "one level has no trend"


def test_a_cell_whose_auroc_is_zero_counts() -> None:
    assert summary([[0.0, 0.0], [0.4, 0.6]])["semantic_slope"] == pytest.approx(0.5)


def test_cells_of_few_images_count_only_where_all_are_small() -> None:
    few = [[10, 9], [5000, 10]]
    assert summary([[0.5, 1.0], [0.7, 0.9]], few)["semantic_slope"] == pytest.approx(0.8 - 0.5)
    assert summary([[0.5, 1.0], [0.7, 0.9]], 1)["semantic_slope"] == pytest.approx(0.8 - 0.75)


def test_runs_from_before_auroc_have_no_figures() -> None:
    table = cells([[0.5, 0.6], [0.7, 0.8]]).assign(auroc=np.nan)
    assert shift_summary(table).drop(columns="method").isna().all(axis=None)
