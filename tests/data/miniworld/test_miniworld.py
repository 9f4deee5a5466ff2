"""MiniWorld: determinism, levels, classes that can be told apart."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.miniworld.classes import AUXILIARY_CLASSES, FAR_CLASSES, FOREIGN_CLASSES, GROUPS, ID_CLASSES, NEAR_CLASSES
from badood.data.miniworld.factors import FACTORS, LEVELS
from badood.data.miniworld.render import PAINTERS, Plan, render

SIZE = 32


def plan(names: list[str], *, semantic: int = 0, covariate: int = 0, factor: str = "noise", partner: str = "bus") -> Plan:
    count = len(names)
    return Plan(
        seed=5,
        index=np.arange(count),
        name=np.array(names),
        partner=np.full(count, partner),
        semantic=np.full(count, semantic),
        covariate=np.full(count, covariate),
        factor=np.full(count, factor),
    )


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def test_groups_share_no_class() -> None:
    assert {"broccoli", "candle", "starfish", "strawberry", "jeep"} <= set(ID_CLASSES)
    assert len(ID_CLASSES) >= 10
    assert len(FOREIGN_CLASSES) >= 12
    parts = [ID_CLASSES, AUXILIARY_CLASSES, NEAR_CLASSES, FAR_CLASSES]
    assert len(set().union(*parts)) == sum(map(len, parts)) == len(PAINTERS)
    assert set(GROUPS["foreign"]) == set(FOREIGN_CLASSES)


@settings(max_examples=6, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 12))
def test_an_image_is_the_same_whatever_batch_it_is_in(order: list[int], batch: int) -> None:
    whole = plan(["jeep", "candle", "fish", "jeep"] * 3, semantic=2, covariate=3)
    alone = np.concatenate([render(whole.take(np.array([row])), SIZE) for row in range(12)])
    mixed = np.concatenate([render(whole.take(np.array(order[first : first + batch])), SIZE) for first in range(0, 12, batch)])
    np.testing.assert_array_equal(mixed, alone[order])


def test_seed_and_split_decide_the_images() -> None:
    def pixels(split: str, seed: int) -> torch.Tensor:
        return dataset["miniworld"](None, split, count=20, seed=seed, size=16).pixels(16)

    assert torch.equal(pixels("train", 0), pixels("train", 0))
    assert not torch.equal(pixels("train", 0), pixels("train", 1))
    assert not torch.equal(pixels("train", 0), pixels("test", 0))
    longer = dataset["miniworld"](None, "train", count=50, seed=0, size=16).pixels(16)
    assert torch.equal(longer[:20], pixels("train", 0))


@pytest.mark.parametrize("factor", sorted(FACTORS))
def test_each_factor_moves_the_picture_further_with_its_level(factor: str) -> None:
    names = list(ID_CLASSES) * 2
    clean = render(plan(names), SIZE)
    distances = [difference(clean, render(plan(names, covariate=level, factor=factor), SIZE)) for level in range(LEVELS)]
    assert distances[0] == 0
    assert all(later > earlier for earlier, later in pairwise(distances)), distances
    assert distances[-1] > 5


def test_a_morph_leads_from_the_class_to_its_partner() -> None:
    names = list(ID_CLASSES)
    start, goal = render(plan(names), SIZE), render(plan(["bus"] * len(names)), SIZE)
    from_start = [difference(start, render(plan(names, semantic=level), SIZE)) for level in range(LEVELS)]
    assert all(later > earlier for earlier, later in pairwise(from_start)), from_start
    np.testing.assert_array_equal(render(plan(names, semantic=LEVELS - 1), SIZE), goal)


def test_every_class_looks_like_itself() -> None:
    """Nearest neighbour on 16 px images, one class of 28 by chance in 28."""
    classes = list(PAINTERS)
    train = dataset["miniworld"](None, "train", classes=classes, count=28 * 20, size=SIZE)
    test = dataset["miniworld"](None, "test", classes=classes, count=28 * 4, size=SIZE)
    seen, asked = (part.pixels(16).float().mean(1).flatten(1) for part in (train, test))
    nearest = torch.cdist(asked, seen).argmin(1).numpy()
    assert (train.labels[nearest] == test.labels).mean() > 0.5


def test_clean_images_are_smooth_enough_for_a_small_tokenizer() -> None:
    """Most of the energy survives a reduction to a third."""
    pixels = dataset["miniworld"](None, "train", count=40, size=48).pixels(48).float() / 255
    small = torch.nn.functional.interpolate(pixels, size=16, mode="area")
    back = torch.nn.functional.interpolate(small, size=48, mode="bicubic")
    assert 10 * torch.log10(1 / (pixels - back).square().mean()) > 24


def test_grid_cells_differ_by_their_levels_only() -> None:
    grid = dataset["miniworld-grid"](None, "test", per_cell=3, size=16)
    assert len(grid) == LEVELS * LEVELS * 3
    cells = np.unique(np.stack([grid.levels["semantic"], grid.levels["covariate"]]), axis=1, return_counts=True)[1]
    assert cells.tolist() == [3] * (LEVELS * LEVELS)
    assert grid.labels.reshape(-1, 3).std(axis=0).max() == 0
    clean = grid.read(0)
    one_level = grid.read(3)
    seven_levels = grid.read(7 * 3)
    assert 0 < difference(clean, one_level) < difference(clean, seven_levels)


def test_sizes_other_than_the_default() -> None:
    assert dataset["miniworld"](None, "train", count=1, size=17).read(0).shape == (17, 17, 3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"classes": "nearby"}, "nearby"),
        ({"classes": ["dragon"]}, "dragon"),
        ({"semantic": 8}, "semantic = 8"),
        ({"covariate": -1}, "covariate = -1"),
        ({"factors": ["fog"]}, "fog"),
        ({"size": 4}, "size = 4"),
        ({"partners": ["dragon"]}, "dragon"),
        ({"count": 0}, "count = 0"),
    ],
)
def test_wrong_arguments_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        dataset["miniworld"](None, "train", **({"count": 3} | params))


@pytest.mark.parametrize("name", ["textures", "noise"])
def test_pictures_of_nothing_are_deterministic_and_vary(name: str) -> None:
    first, again = (dataset[name](None, "test", count=12, size=16).pixels(16) for _ in range(2))
    assert torch.equal(first, again)
    assert len({image.numpy().tobytes() for image in first}) == 12
    assert not torch.equal(first, dataset[name](None, "train", count=12, size=16).pixels(16))
