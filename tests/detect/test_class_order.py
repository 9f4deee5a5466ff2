"""Whose logit is whose."""

import pytest
import torch

from badood.core.errors import BadWeights
from badood.detect.class_order import matched_classes

ANIMALS = ("cat", "dog", "polar_bear")
LABELS = torch.arange(300) % 3


def test_names_decide_whatever_the_logits_say() -> None:
    found = matched_classes(torch.zeros(300, 3), LABELS, ANIMALS, ["Polar bear", "cat", "dog"])
    assert found.rows.tolist() == [1, 2, 0]
    assert "by name; the file's order is another" in found.told


def test_names_choose_among_more_classes() -> None:
    found = matched_classes(torch.zeros(300, 5), LABELS, ANIMALS, ["ant", "dog", "bee", "polar-bear", "cat"])
    assert found.rows.tolist() == [4, 1, 3]
    assert "3 classes of the file's 5 matched by name" in found.told


def test_agreement_decides_without_names_and_is_told() -> None:
    logits = torch.nn.functional.one_hot((LABELS + 1) % 3, 3).float()
    logits[::10] = torch.tensor([1.0, 0.0, 0.0])
    found = matched_classes(logits, LABELS, ANIMALS)
    assert found.rows.tolist() == [1, 2, 0]
    assert "with which 3.3% of 300 labels agree" in found.told
    assert "93.3%: cat = 1, dog = 2, polar_bear = 0" in found.told


def test_noise_does_not_move_classes() -> None:
    torch.manual_seed(0)
    found = matched_classes(torch.randn(300, 3), LABELS, ANIMALS)
    assert found.rows.tolist() == [0, 1, 2]
    assert "the data's own" in found.told


def test_a_class_without_images_keeps_its_place() -> None:
    labels = torch.zeros(50, dtype=torch.int64)
    found = matched_classes(torch.nn.functional.one_hot(labels, 3).float(), labels, ANIMALS)
    assert found.rows.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "said"), [(None, "no class names by which to choose"), (["a", "b", "cat", "dog"], "names lack polar_bear")]
)
def test_another_count_is_told_with_both_numbers(names: list[str] | None, said: str) -> None:
    with pytest.raises(BadWeights, match=f"tells 4 classes apart, the ID data has 3 .*{said}"):
        matched_classes(torch.zeros(300, 4), LABELS, ANIMALS, names)
