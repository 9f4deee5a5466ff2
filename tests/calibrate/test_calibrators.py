"""Every calibrator: orientation, order, calibration, storage, and errors; beta against recorded betacal fits."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from betacal import BetaCalibration
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import expit, log_expit, logit
from sklearn.metrics import roc_auc_score

from badood.calibrate import calibration_error, calibrator, from_dict, reliability_table
from badood.calibrate.beta import _by_logarithms
from badood.core.errors import BadInput, ReversedOrder, Uncalibrated

NAMES = sorted(calibrator)


def drawn(n: int = 4000, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Energies and labels whose true P(ID | E) = sigmoid(-1.5 E - 9)."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(-12, 0, n)
    return energy, rng.random(n) < expit(-1.5 * energy - 9)


def separated(middle: float, gap: float, n: int, seed: int) -> tuple[NDArray, NDArray]:
    """n ID and n OOD energies of spread 2 round `middle`, whose means are `gap` apart."""
    rng = np.random.default_rng(seed)
    return np.r_[rng.normal(middle - gap / 2, 2, n), rng.normal(middle + gap / 2, 2, n)], np.repeat([True, False], n)


@pytest.mark.parametrize("name", NAMES)
def test_confidence_is_high_for_low_energy_and_never_rises_with_it(name: str) -> None:
    fitted = calibrator.make(name).fit(*drawn())
    confidence = fitted.id_confidence(np.linspace(-400, 400, 5001))
    assert (np.diff(confidence) <= 0).all()
    assert 0 <= confidence[-1] < 0.5 < confidence[0] <= 1


@pytest.mark.parametrize("name", [name for name in NAMES if name != "temperature"])
def test_confidence_is_the_share_of_id_on_new_data(name: str) -> None:
    fitted = calibrator.make(name).fit(*drawn())
    energy, is_id = drawn(20_000, seed=1)
    assert calibration_error(reliability_table(fitted.id_confidence(energy), is_id)) < 0.03


def test_temperature_finds_the_true_one() -> None:
    rng = np.random.default_rng(0)
    energy = rng.normal(0, 6, 20_000)
    fitted = calibrator.make("temperature").fit(energy, rng.random(20_000) < expit(-energy / 3))
    assert fitted.temperature_ == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("name", ["beta", "platt", "temperature"])
def test_ranks_survive_energies_at_which_a_sigmoid_saturates(name: str) -> None:
    fitted = calibrator.make(name).fit(*drawn())
    fitted.c_ = 18.0 * getattr(fitted, "b_", getattr(fitted, "a_", 1.0)) * -1  # centre the map at E = -18
    far = fitted.id_confidence(np.linspace(-18.5, -17.5, 50))
    assert (np.diff(far) < 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_comes_back_from_json(name: str) -> None:
    fitted = calibrator.make(name).fit(*drawn())
    again = from_dict(json.loads(json.dumps(fitted.to_dict())))
    energy = np.linspace(-20, 5, 100)
    np.testing.assert_array_equal(again.id_confidence(energy), fitted.id_confidence(energy))


@pytest.mark.parametrize("name", NAMES)
def test_unusable_calibration_sets_are_named(name: str) -> None:
    energy, is_id = drawn(50)
    with pytest.raises(BadInput, match="50 ID and 0 OOD"):
        calibrator.make(name).fit(energy, np.ones(50, dtype=bool))
    with pytest.raises(BadInput, match="all 50 calibration scores are -3"):
        calibrator.make(name).fit(np.full(50, -3.0), is_id)
    with pytest.raises(BadInput, match="1 of 50"):
        calibrator.make(name).fit(np.where(np.arange(50) == 7, np.inf, energy), is_id)
    with pytest.raises(BadInput, match="50 scores and 49 labels"):
        calibrator.make(name).fit(energy, is_id[1:])


@pytest.mark.parametrize("name", NAMES)
def test_reversed_scores_are_an_error_not_a_rising_map(name: str) -> None:
    energy, is_id = drawn()
    with pytest.raises(ReversedOrder, match=f"{name} calibration is not monotone.*the likely reason is data.auxiliary"):
        calibrator.make(name).fit(-energy - 12, is_id)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_that_tells_nothing_apart_is_an_error(name: str) -> None:
    is_id = np.arange(400) % 2 == 0
    with pytest.raises(Uncalibrated, match="nearly the same id_confidence"):
        # mirrored pairs: ID and OOD have the very same scores
        calibrator.make(name).fit(np.repeat(np.linspace(-0.01, 0.01, 200), 2), is_id)


def test_a_temperature_cannot_move_the_middle_and_says_what_can() -> None:
    energy, is_id = separated(-50, 12, 200, seed=0)
    energy, is_id = np.r_[energy, energy[~is_id]], np.r_[is_id, is_id[~is_id]]  # OOD images are the more, and would all be taken for ID
    with pytest.raises(Uncalibrated, match="beta or platt"):
        calibrator.make("temperature").fit(energy, is_id)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(NAMES), st.floats(-60, 60), st.floats(1, 15), st.integers(40, 300), st.integers(0, 1000))
def test_at_any_energy_ranks_are_kept_and_separable_sets_told_apart(name: str, middle: float, gap: float, n: int, seed: int) -> None:
    energy, is_id = separated(middle, gap, n, seed)
    try:
        fitted = calibrator.make(name).fit(energy, is_id)
    except Uncalibrated:
        assert name == "temperature" or gap < 4  # else the sets can be told apart
        return
    confidence = fitted.id_confidence(energy)
    assert roc_auc_score(is_id, confidence) >= min(0.99 if name != "isotonic" else 0.5, roc_auc_score(is_id, -energy)) - 1e-9
    assert confidence[is_id].mean() > confidence[~is_id].mean()
    along = fitted.id_confidence(np.sort(energy))
    assert (np.diff(along) <= 0).all()
    assert (np.diff(fitted.id_confidence(np.linspace(-400, 400, 4001))) <= 0).all()
    if name != "isotonic":
        inside = (along > 1e-9) & (along < 1 - 1e-9)
        assert (np.diff(along[inside]) < 0).all()


@pytest.mark.parametrize("middle", [-60, -45, -33, 33, 45, 60])
def test_beta_and_platt_agree_where_one_of_the_logarithms_is_linear(middle: float) -> None:
    energy, is_id = separated(middle, 4, 500, seed=0)
    beta, platt = (calibrator.make(name).fit(energy, is_id).id_confidence(energy) for name in ("beta", "platt"))
    np.testing.assert_allclose(beta, platt, atol=2e-3)


@pytest.mark.parametrize("name", ["beta", "platt", "isotonic"])
@pytest.mark.parametrize(("middle", "unit"), [(1e6, 1e5), (-1e5, 3.0), (1e4, 0.5), (0.5, 0.01), (0.0, 1e-6)])
def test_scores_of_any_place_and_unit_can_be_calibrated(name: str, middle: float, unit: float) -> None:
    energy, is_id = separated(0, 6, 300, seed=2)
    energy = middle + unit * energy
    confidence = calibrator.make(name).fit(energy, is_id).id_confidence(energy)
    assert roc_auc_score(is_id, confidence) > 0.95
    assert confidence[is_id].mean() > 0.85
    assert confidence[~is_id].mean() < 0.15


@pytest.mark.parametrize("middle", [-12.0, -3.0, 0.0, 8.0])
def test_beta_is_betacals_own_fit_at_ordinary_energies(middle: float) -> None:
    energy, is_id = separated(middle, 3, 300, seed=1)
    with warnings.catch_warnings():
        package = BetaCalibration("abm").fit(expit(-energy), is_id.astype(int)).calibrator_
    fitted = calibrator.make("beta").fit(energy, is_id)
    assert (fitted.a_, fitted.b_, fitted.c_) == (*package.map_[:2], package.lr_.intercept_[0])
    by_logarithms = expit(np.array(_by_logarithms(energy, is_id)) @ np.array([log_expit(-energy), -log_expit(energy), np.ones(600)]))
    np.testing.assert_allclose(by_logarithms, fitted.id_confidence(energy), atol=5e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 6), st.floats(0.1, 30))
def test_beta_is_monotone_or_an_error(seed: int, shift: float, spread: float) -> None:
    rng = np.random.default_rng(seed)
    energy = np.concatenate([rng.normal(-8, spread, 60), rng.normal(-8 + shift, spread, 25)])
    try:
        fitted = calibrator.make("beta").fit(energy, np.arange(85) < 60)
    except BadInput:
        return
    assert (np.diff(fitted.id_confidence(np.linspace(-300, 300, 2001))) <= 0).all()


def test_warnings_of_the_rest_of_the_process_are_not_silenced() -> None:
    calibrator.make("beta").fit(*drawn(100))
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


def test_beta_equals_recorded_betacal(test_data: Path) -> None:
    tensors = load_file(test_data / "reference" / "betacal.safetensors")
    for name in ("regular", "a_negative", "b_negative", "rounded"):
        score, label = tensors[f"input.{name}.scores"], tensors[f"input.{name}.labels"]
        inside = (score > 0) & (score < 1)
        assert inside.all() or name == "rounded"
        if not inside.all():
            continue
        fitted = calibrator.make("beta").fit(-logit(score), label == 1)
        a, b, _ = tensors[f"output.{name}.abm.map"]
        assert (fitted.a_, fitted.b_) == pytest.approx((a, b), rel=1e-4), name
        np.testing.assert_allclose(fitted.id_confidence(-logit(score)), tensors[f"output.{name}.abm.pred_train"], atol=1e-5)


def test_reliability_of_a_perfect_and_a_constant_confidence() -> None:
    is_id = np.arange(100) < 30
    assert calibration_error(reliability_table(is_id.astype(float), is_id)) == 0
    table = reliability_table(np.full(100, 0.8), is_id)
    assert table["count"].sum() == 100
    assert calibration_error(table) == pytest.approx(0.5)
    assert reliability_table([1.0, 0.0], [True, False])["count"].tolist() == [1, *[0] * 8, 1]
    with pytest.raises(BadInput, match=r"\[0, 1\]"):
        reliability_table([1.2], [True])
