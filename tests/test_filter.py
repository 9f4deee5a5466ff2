"""Which outliers are kept, why, and what is said when none is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from badood import config
from badood.core.errors import BadConfig, BadInput, EmptySelection
from badood.filter import STRATEGIES, auto_bands, overlap, select, sweep

KNOWN = np.linspace(0.4, 0.9, 251)  # confidences of ID validation: 5 % quantile 0.425
OUTLIERS = pd.DataFrame({"id_confidence": np.arange(1001) / 1000, "minority_score": np.linspace(1, 0, 1001)})
HARMFUL = OUTLIERS.assign(harm=np.sin(np.arange(1001)), gradient_anomaly=np.cos(np.arange(1001)))


def ideal(low: float, high: float) -> Mapping[str, float] | object:
    """A preview that likes exactly the outliers between two confidences."""
    wanted = OUTLIERS["id_confidence"].between(low, high).to_numpy()

    def preview(kept: NDArray[np.bool_]) -> Mapping[str, float]:
        return {"fpr95": float((kept != wanted).mean())}

    return preview


def kept_by(strategy: str, **fields: float) -> NDArray:
    selection = select(OUTLIERS, config.Filter(strategy=strategy, **fields), KNOWN, preview=ideal(0, 0.425))
    return OUTLIERS["id_confidence"].to_numpy()[selection.kept]


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_band_keeps_both_its_ends_and_all_between(first: int, second: int) -> None:
    lo, hi = sorted((first, second))
    kept = kept_by("band", lo=lo / 1000, hi=hi / 1000)
    assert len(kept) == hi - lo + 1
    assert (kept.min(), kept.max()) == (lo / 1000, hi / 1000)


def test_named_bands_are_the_papers() -> None:
    assert {name: (kept_by(name).min(), kept_by(name).max()) for name in ("high", "mid", "low", "all")} == {
        "high": (0.3, 1.0),
        "mid": (0.3, 0.5),
        "low": (0.0, 0.5),
        "all": (0.0, 1.0),
    }


def test_quantile_band_is_in_units_of_id_validation() -> None:
    kept = kept_by("quantile", lo=0.2, hi=0.6)
    assert (kept.min(), kept.max()) == pytest.approx((0.5, 0.7), abs=0.001)
    assert kept_by("quantile", lo=0, hi=0.05).min() == 0  # the lower end is open: outliers lie below all ID images


def test_q_mid_lies_below_id_and_above_the_far_half() -> None:
    kept = kept_by("q-mid")
    assert kept.max() == pytest.approx(0.425)
    assert kept.min() == pytest.approx(0.425 / 2, abs=0.002)


def test_random_keeps_as_many_as_the_band_and_the_seed_decides() -> None:
    band = kept_by("band", lo=0.3, hi=0.5)
    first, again, other = (kept_by("random", lo=0.3, hi=0.5, seed=seed) for seed in (1, 1, 2))
    assert len(first) == len(band)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(kept_by("random", count=17)) == 17


def test_a_count_cuts_a_band_at_random_so_that_bands_can_be_compared_at_the_same_number() -> None:
    band = kept_by("high")
    some, other = (kept_by("high", count=40, seed=seed) for seed in (1, 2))
    assert len(some) == len(other) == 40
    assert set(some) | set(other) <= set(band)
    assert set(some) != set(other)
    assert len(kept_by("high", count=len(band) + 1)) == len(band)


def test_minority_keeps_the_highest_scores() -> None:
    assert kept_by("minority", count=10).max() == pytest.approx(0.009)


def test_auto_takes_the_band_with_the_best_preview_and_says_so() -> None:
    selection = select(OUTLIERS, config.Filter(strategy="auto"), KNOWN, preview=ideal(0.25, 0.425))
    assert (selection.lo, selection.hi) == (0.25, 0.425)
    assert "0.250 to 0.425" in selection.reason
    with pytest.raises(BadInput, match="preview"):
        select(OUTLIERS, config.Filter(strategy="auto"), KNOWN)


def test_auto_bands_differ_in_what_they_keep_and_include_everything() -> None:
    confidence = OUTLIERS["id_confidence"]
    bands = auto_bands(confidence, KNOWN)
    masks = {confidence.between(lo, hi).to_numpy().tobytes() for lo, hi in bands}
    assert len(masks) == len(bands) <= 20
    assert (0.0, 1.0) in bands
    assert all(confidence.between(lo, hi).mean() >= 0.05 for lo, hi in bands)


def test_overlap_is_the_share_that_passes_for_id_and_a_high_one_warns() -> None:
    assert overlap([0.0, 0.42, 0.43, 1.0], KNOWN) == 0.5
    near = select(OUTLIERS, config.Filter(strategy="band", lo=0.4, hi=0.6), KNOWN)
    far = select(OUTLIERS, config.Filter(strategy="band", lo=0.1, hi=0.3), KNOWN)
    assert near.overlap == pytest.approx(0.87, abs=0.01)
    assert "87 % of the 201" in near.warning
    assert (far.overlap, far.warning) == (0, "")


def test_an_empty_selection_says_where_the_outliers_are() -> None:
    far = pd.DataFrame({"id_confidence": np.linspace(0.001, 0.2, 100)})
    with pytest.raises(
        EmptySelection, match=r"0.3 to 0.5\) keeps 0 of 100 .* 0.001..0.200.* 95 % of ID validation above 0.425.*0.426 keeps 100"
    ):
        select(far, config.Filter(), KNOWN)
    with pytest.raises(EmptySelection, match=r"synthesise\.count"):
        select(far.iloc[:0], config.Filter(), KNOWN)


def test_bad_settings_are_named() -> None:
    with pytest.raises(BadConfig, match=r"'middle'.*q-mid"):
        select(OUTLIERS, config.Filter(strategy="middle"), KNOWN)
    with pytest.raises(BadConfig, match=r"0\.6 lies above filter\.hi = 0\.5"):
        select(OUTLIERS, config.Filter(lo=0.6), KNOWN)
    with pytest.raises(BadInput, match="validation_share"):
        select(OUTLIERS, config.Filter(), [])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_deterministic_and_explains_itself(strategy: str) -> None:
    features = np.random.default_rng(0).normal(size=(1001, 4))
    first, again = (select(HARMFUL, config.Filter(strategy=strategy), KNOWN, ideal(0, 0.4), features) for _ in range(2))
    np.testing.assert_array_equal(first.kept, again.kept)
    assert first.kept.any()
    assert first.reason


@pytest.mark.parametrize("quantiles", [False, True])
def test_sweep_tries_every_band_that_keeps_an_outlier(quantiles: bool) -> None:
    table = sweep(OUTLIERS, KNOWN, ideal(0.2, 0.6), steps=6, quantiles=quantiles)
    assert len(table) == 15
    assert (table["lo"] < table["hi"]).all()
    if not quantiles:
        best = table.loc[table["fpr95"].idxmin()]
        assert (best["lo"], best["hi"], best["fpr95"]) == pytest.approx((0.2, 0.6, 0))
        assert best["kept"] == 401


@pytest.mark.parametrize(("strategy", "column"), [("least-harm", "harm"), ("outlier-gradient", "gradient_anomaly")])
def test_the_least_of_a_column_are_kept(strategy: str, column: str) -> None:
    kept = select(HARMFUL, config.Filter(strategy=strategy, count=100), KNOWN).kept
    assert kept.sum() == 100
    assert HARMFUL[column][kept].max() < HARMFUL[column][~kept].min()
    # as many as the band, where no count is set; at most all
    assert select(HARMFUL, config.Filter(strategy=strategy, lo=0.2, hi=0.3), KNOWN).kept.sum() == 101
    assert select(HARMFUL, config.Filter(strategy=strategy, count=5000), KNOWN).kept.all()


def test_without_an_estimate_of_harm_the_row_says_so() -> None:
    for table in (OUTLIERS, OUTLIERS.assign(harm=np.nan)):
        with pytest.raises(EmptySelection, match="could not be estimated"):
            select(table, config.Filter(strategy="least-harm"), KNOWN)
    with pytest.raises(BadInput, match="gradient_anomaly"):
        select(OUTLIERS, config.Filter(strategy="outlier-gradient"), KNOWN)


def test_dos_takes_of_each_cluster_the_outlier_nearest_to_id() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(1001) % 7
    features = np.eye(7)[group] * rng.uniform(1, 9, (1001, 1)) + rng.normal(0, 0.01, (1001, 7))
    kept = select(OUTLIERS, config.Filter(strategy="dos", count=7), KNOWN, features=features).kept
    nearest = [np.flatnonzero(group == each)[-1] for each in range(7)]  # confidence rises with the row
    assert np.flatnonzero(kept).tolist() == sorted(nearest)
    # among a choice only, with its own features
    some = config.Filter(strategy="dos", count=3, ids=np.flatnonzero(group < 3)[:-30].tolist())
    among = select(OUTLIERS.assign(outlier_id=np.arange(1001)), some, KNOWN, features=features).kept
    assert sorted(group[among]) == [0, 1, 2]
    with pytest.raises(BadInput, match="features"):
        select(OUTLIERS, config.Filter(strategy="dos"), KNOWN)
    with pytest.raises(EmptySelection):
        select(OUTLIERS, config.Filter(strategy="dos", lo=0.00011, hi=0.00012), KNOWN, features=features)


def test_what_was_left_out_takes_no_part() -> None:
    table = OUTLIERS.assign(outlier_id=np.arange(1001))
    without = list(range(300, 400))
    band = select(table, config.Filter(strategy="band", lo=0.3, hi=0.5, without=without), KNOWN)
    assert np.flatnonzero(band.kept).tolist() == list(range(400, 501))
    assert "without 100 that were left out" in band.reason
    drawn = select(table, config.Filter(strategy="random", count=901, without=without), KNOWN)
    assert np.flatnonzero(drawn.kept).tolist() == [*range(300), *range(400, 1001)]
    with pytest.raises(EmptySelection, match="left out"):
        select(table, config.Filter(strategy="all", without=list(range(1001))), KNOWN)
