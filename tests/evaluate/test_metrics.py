"""Metrics against brute force, against OpenOOD's recorded numbers, and their invariances."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file

from badood.core.errors import BadInput
from badood.evaluate.metrics import acceptance_threshold, id_accuracy, mean_over_sets, ood_metrics, roc_curve

coarse = st.lists(st.integers(-6, 6), min_size=1, max_size=60).map(np.array)  # few values, so many ties


def brute_fpr95(known: NDArray, odd: NDArray) -> float:
    """Every score is tried as the threshold."""
    good = [t for t in known if np.count_nonzero(known <= t) * 100 >= 95 * len(known)]
    return float(np.mean(odd <= min(good)))


@given(coarse, coarse)
def test_fpr95_and_auroc_agree_with_brute_force(known: NDArray, odd: NDArray) -> None:
    got = ood_metrics(known, odd)
    assert got["fpr95"] == pytest.approx(brute_fpr95(known, odd))
    wins = np.mean((odd[:, None] > known[None]) + 0.5 * (odd[:, None] == known[None]))
    assert got["auroc"] == pytest.approx(wins)


@given(coarse, coarse)
def test_the_threshold_accepts_95_percent_and_no_smaller_score_does(known: NDArray, odd: NDArray) -> None:
    threshold = acceptance_threshold(known)
    assert np.mean(known <= threshold) >= 0.95
    assert np.count_nonzero(known < threshold) * 100 < 95 * len(known)


@given(coarse, coarse)
def test_metrics_depend_on_ranks_only(known: NDArray, odd: NDArray) -> None:
    assert ood_metrics(known, odd) == pytest.approx(ood_metrics(1e4 * known + 3e6, 1e4 * odd + 3e6))


@given(coarse, coarse)
def test_auroc_of_reversed_scores_is_the_complement(known: NDArray, odd: NDArray) -> None:
    assert ood_metrics(-known, -odd)["auroc"] == pytest.approx(1 - ood_metrics(known, odd)["auroc"])


def test_fpr95_is_exact_where_products_with_095_round() -> None:
    # 0.95 * 20 = 19: exactly one ID image may be rejected, for every n where 95 n / 100 is whole
    for n in range(20, 2001, 20):
        assert acceptance_threshold(np.arange(n)) == 95 * n // 100 - 1


def test_extremes() -> None:
    assert ood_metrics([0, 1], [2, 3]) == {"fpr95": 0, "auroc": 1, "aupr": 1}
    assert ood_metrics([2, 3], [0, 1])["fpr95"] == 1
    assert ood_metrics([1, 1], [1, 1])["auroc"] == 0.5
    assert ood_metrics([0.0, 1.0], [np.inf, np.inf])["auroc"] == 1


def cases(folder: Path) -> list[tuple[str, NDArray, NDArray, dict[str, NDArray]]]:
    tensors = load_file(folder / "reference" / "metrics.safetensors")
    names = {name.split(".")[1] for name in tensors if name.startswith("input.")}
    return [
        (name, tensors[f"input.{name}.conf"], tensors[f"input.{name}.label"], {k: v for k, v in tensors.items() if f".{name}." in k})
        for name in sorted(names)
    ]


def test_auroc_and_aupr_equal_openood(test_data: Path) -> None:
    for name, confidence, label, tensors in cases(test_data):
        _, auroc, _, aupr_out, _ = tensors[f"output.{name}.openood"]
        got = ood_metrics(-confidence[label >= 0], -confidence[label < 0])
        assert (got["auroc"], got["aupr"]) == pytest.approx((auroc, aupr_out), abs=1e-12), name


def test_fpr95_equals_openood_with_roles_swapped(test_data: Path) -> None:
    """OpenOOD flags ID when 95 % of OOD is caught: our figure with the two sets and the sign exchanged."""
    for name, confidence, label, tensors in cases(test_data):
        ours = ood_metrics(confidence[label < 0], confidence[label >= 0])["fpr95"]
        theirs = tensors[f"output.{name}.openood"][0]
        if name == "grid_collinear":
            assert ours < theirs  # read from a thinned curve
        else:
            assert ours == pytest.approx(theirs, abs=1e-12), name


def test_roc_curve_encloses_the_auroc() -> None:
    rng = np.random.default_rng(0)
    known, odd = rng.normal(size=80), rng.normal(1, size=50)
    curve = roc_curve(known, odd)
    area = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(ood_metrics(known, odd)["auroc"])


def test_means_and_accuracy() -> None:
    sets = {"a": {"fpr95": 0.2, "auroc": 0.8, "aupr": 0.5}, "b": {"fpr95": 0.4, "auroc": 0.6, "aupr": 0.7}}
    assert mean_over_sets(sets) == pytest.approx({"fpr95": 0.3, "auroc": 0.7, "aupr": 0.6})
    assert id_accuracy([0, 1, 2, 3], [0, 1, 2, 0]) == 0.75


@pytest.mark.parametrize(("known", "odd", "message"), [([], [1.0], "ID scores"), ([1.0], [], "OOD scores"), ([1.0], [np.nan], "1 of 1")])
def test_bad_scores_are_named(known: list[float], odd: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ood_metrics(known, odd)
