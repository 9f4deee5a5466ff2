"""CLIP types: vocabulary, tau, the three types, Table 3."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from badood.core.errors import BadInput
from badood.evaluate.ood_types import TYPES, choose_tau, class_names, fit_temperature, ood_types, tempered, type_table, vocabulary

NAMES = ["broccoli", "jeep", "zebra"]


def test_types_follow_their_definitions() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3], [0.1, 0.5, 0.4]])
    table = ood_types(probabilities, np.array([0, 0, 0, 1]), np.array([0, 1]), NAMES, tau=0.5)
    assert table["ood_type"].tolist() == ["OOD-I", "OOD-II", "OOD-III", "OOD-I"]
    assert table["clip_label"].tolist() == ["broccoli", "zebra", "broccoli", "jeep"]
    assert table["clip_anchor_prob"].tolist() == [0.8, 0.1, 0.4, 0.5]


def test_an_outlier_without_an_anchor_counts_as_of_the_likeliest_id_class() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.4, 0.3, 0.3], [0.2, 0.6, 0.2]])
    table = ood_types(probabilities, np.array([-1, -1, -1, 0]), np.array([0, 1]), NAMES, tau=0.5)
    assert table["ood_type"].tolist() == ["OOD-I", "OOD-II", "OOD-III", "OOD-II"]
    assert table["clip_anchor_prob"].tolist() == [0.8, 0.2, 0.4, 0.2]


@given(st.integers(1, 200), st.floats(0.05, 0.99), st.integers(0, 1000))
def test_tau_recognises_the_wanted_share_and_no_larger_tau_does(n: int, recognised: float, seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet([1, 1, 1], size=n)
    labels = np.random.default_rng(seed + 1).integers(0, 3, n)
    right = probabilities.argmax(axis=1) == labels
    best = probabilities[right if right.any() else slice(None)].max(axis=1)
    tau = choose_tau(probabilities, labels, recognised)
    assert (best >= tau).mean() >= recognised - 1e-9
    assert (best > tau).mean() < recognised


def test_tau_needs_images() -> None:
    with pytest.raises(BadInput, match="validation"):
        choose_tau(np.empty((0, 3)), np.empty(0, int), 0.95)


@pytest.mark.parametrize("wanted", [1.5, 4.0])
def test_the_temperature_is_that_at_which_labels_were_drawn(wanted: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (4000, 6))
    true = softmax(logits / wanted, axis=1)
    labels = np.array([rng.choice(6, p=each) for each in true])
    sure = softmax(logits, axis=1).astype(np.float32)
    found = fit_temperature(sure, labels)
    assert found == pytest.approx(wanted, rel=0.05)
    np.testing.assert_allclose(tempered(sure, wanted), true, atol=1e-5)


def test_clip_is_never_made_surer_and_ranks_stay() -> None:
    sure = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]], np.float32)
    assert fit_temperature(sure, np.array([0, 1])) == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_array_equal(tempered(sure, 3.0).argsort(axis=1), sure.argsort(axis=1))
    np.testing.assert_allclose(tempered(sure, 3.0).sum(axis=1), 1)


def test_vocabulary_starts_with_the_id_classes_and_has_no_name_twice() -> None:
    assert vocabulary(NAMES, ["zebra", "violin"]) == [*NAMES, "violin"]
    names = vocabulary(["n07714990", "my_own_class"], ["imagenet-1k"])
    assert names[:2] == ["broccoli", "my_own_class"]
    assert len(names) == len(set(names)) > 990
    assert class_names(["n03594945"]) == ["jeep"]


def test_type_table_counts_before_and_after() -> None:
    types = np.array(["OOD-I", "OOD-I", "OOD-III", "OOD-II"], dtype=object)
    table = type_table(types, np.array([True, False, False, True])).set_index("ood_type")
    assert table.loc[list(TYPES), "before"].tolist() == [2, 1, 1]
    assert table["after"].tolist() == [1, 1, 0]
    assert table["removed"].tolist() == [1, 0, 1]
    assert table["after_share"].tolist() == [0.5, 0.5, 0.0]
    assert table["removed_share"].tolist() == [0.5, 0.0, 1.0]
    assert ((table["removed_lo"] <= table["removed_share"]) & (table["removed_share"] <= table["removed_hi"])).all()
    assert table["removed_hi"]["OOD-II"] == pytest.approx(0.7935, abs=1e-4)  # Wilson's, of none of one
    assert type_table(types[:2], np.ones(2, bool))["removed_share"].isna().tolist() == [False, True, True]
    assert type_table(types, np.zeros(4, bool))["after_share"].sum() == 0
