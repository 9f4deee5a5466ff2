"""Metrics against brute force, against OpenOOD's recorded numbers, and their invariances."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file

from badood.core.errors import BadInput
from badood.evaluate.metrics import acceptance_threshold, id_accuracy, mean_over_sets, ood_metrics, placements, roc_curve

coarse = st.lists(st.integers(-6, 6), min_size=1, max_size=60).map(np.array)  # few values, so many ties


def brute_fpr95(id_scores: NDArray, ood_scores: NDArray) -> float:
    """Every score is tried as the threshold."""
    good = [t for t in id_scores if np.count_nonzero(id_scores <= t) * 100 >= 95 * len(id_scores)]
    return float(np.mean(ood_scores <= min(good)))


@given(coarse, coarse)
def test_fpr95_and_auroc_agree_with_brute_force(id_scores: NDArray, ood_scores: NDArray) -> None:
    got = ood_metrics(id_scores, ood_scores)
    assert got["fpr95"] == pytest.approx(brute_fpr95(id_scores, ood_scores))
    wins = np.mean((ood_scores[:, None] > id_scores[None]) + 0.5 * (ood_scores[:, None] == id_scores[None]))
    assert got["auroc"] == pytest.approx(wins)


@given(coarse, coarse)
def test_the_mean_placement_of_any_images_is_their_auroc(id_scores: NDArray, ood_scores: NDArray) -> None:
    placed = placements(id_scores, ood_scores)
    for group in (slice(None), slice(1), slice(None, None, 2)):
        assert placed[group].mean() == pytest.approx(ood_metrics(id_scores, ood_scores[group])["auroc"])


@given(coarse, coarse)
def test_the_threshold_accepts_95_percent_and_no_smaller_score_does(id_scores: NDArray, ood_scores: NDArray) -> None:
    threshold = acceptance_threshold(id_scores)
    assert np.mean(id_scores <= threshold) >= 0.95
    assert np.count_nonzero(id_scores < threshold) * 100 < 95 * len(id_scores)


@given(coarse, coarse)
def test_metrics_depend_on_ranks_only(id_scores: NDArray, ood_scores: NDArray) -> None:
    assert ood_metrics(id_scores, ood_scores) == pytest.approx(ood_metrics(1e4 * id_scores + 3e6, 1e4 * ood_scores + 3e6))


@given(coarse, coarse)
def test_auroc_of_reversed_scores_is_the_complement(id_scores: NDArray, ood_scores: NDArray) -> None:
    assert ood_metrics(-id_scores, -ood_scores)["auroc"] == pytest.approx(1 - ood_metrics(id_scores, ood_scores)["auroc"])


def test_fpr95_is_exact_where_products_with_095_round() -> None:
    # 0.95 * 20 = 19: exactly one ID image may be rejected, for every n where 95 n / 100 is whole
    for n in range(20, 2001, 20):
        assert acceptance_threshold(np.arange(n)) == 95 * n // 100 - 1


def test_extremes() -> None:
    assert ood_metrics([0, 1], [2, 3]) == {"fpr95": 0, "auroc": 1, "aupr": 1, "fpr95_openood": 0}
    assert ood_metrics([2, 3], [0, 1])["fpr95"] == 1
    assert ood_metrics([1, 1], [1, 1])["auroc"] == 0.5
    assert ood_metrics([0.0, 1.0], [np.inf, np.inf])["auroc"] == 1
    assert placements([0.0, np.inf], [np.inf, -np.inf]).tolist() == [0.75, 0]


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
        assert ood_metrics(-confidence[label >= 0], -confidence[label < 0])["fpr95_openood"] == ours
        theirs = tensors[f"output.{name}.openood"][0]
        if name == "grid_collinear":
            assert ours < theirs  # read from a thinned curve
        else:
            assert ours == pytest.approx(theirs, abs=1e-12), name


@given(coarse, coarse)
def test_the_two_meanings_of_fpr95_are_each_others_mirror(id_scores: NDArray, ood_scores: NDArray) -> None:
    caught = [t for t in ood_scores if np.count_nonzero(ood_scores >= t) * 100 >= 95 * len(ood_scores)]
    got = ood_metrics(id_scores, ood_scores)
    assert got["fpr95_openood"] == pytest.approx(np.mean(id_scores >= max(caught)))
    mirrored = ood_metrics(-ood_scores, -id_scores)
    assert (got["fpr95"], got["fpr95_openood"]) == (mirrored["fpr95_openood"], mirrored["fpr95"])


def test_roc_curve_encloses_the_auroc() -> None:
    rng = np.random.default_rng(0)
    id_scores, ood_scores = rng.normal(size=80), rng.normal(1, size=50)
    curve = roc_curve(id_scores, ood_scores)
    area = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(ood_metrics(id_scores, ood_scores)["auroc"])


def test_means_and_accuracy() -> None:
    sets = {"a": {"fpr95": 0.2, "auroc": 0.8, "aupr": 0.5}, "b": {"fpr95": 0.4, "auroc": 0.6, "aupr": 0.7}}
    assert mean_over_sets(sets) == pytest.approx({"fpr95": 0.3, "auroc": 0.7, "aupr": 0.6})
    both = {name: values | {"fpr95_openood": values["fpr95"] / 2} for name, values in sets.items()}
    assert mean_over_sets(both)["fpr95_openood"] == pytest.approx(0.15)
    assert id_accuracy([0, 1, 2, 3], [0, 1, 2, 0]) == 0.75


@pytest.mark.parametrize(
    ("id_scores", "ood_scores", "message"), [([], [1.0], "ID scores"), ([1.0], [], "OOD scores"), ([1.0], [np.nan], "1 of 1")]
)
def test_bad_scores_are_named(id_scores: list[float], ood_scores: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ood_metrics(id_scores, ood_scores)
