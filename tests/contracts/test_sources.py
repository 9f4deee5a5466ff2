"""Every outlier source goes on at any group with the same rows, keeps what it announces, and is named by contents."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from badood.config import Config, load_config
from badood.config import Outliers as Entry
from badood.core import weights
from badood.core.errors import BadConfig, BadInput
from badood.core.progress import Silent
from badood.data import dataset
from badood.decode.pixels import PixelDiffusion
from badood.encode.features import encode
from badood.outliers import Given, Group, OutlierSource, outlier_source
from badood.pipeline.models import Models
from tests.outliers.tiny_pipeline import tiny_pipeline

SIZE = 64


def photographs(folder: Path) -> dict[str, Any]:
    """Parameters that name 11 images, one of them broken."""
    images = dataset["noise"](None, "train", count=12, size=16)
    for row in range(12):
        Image.fromarray(images.read(row)).save(folder / f"{row:02d}.png")
    (folder / "04.png").write_bytes(b"no image")
    return {"path": str(folder)}


def pipeline(folder: Path) -> dict[str, Any]:
    """Parameters that name a tiny random pipeline of Stable Diffusion."""
    return {"model": str(tiny_pipeline(folder)), "limit": 11, "steps": 2, "neighbours": 2, "tried": 4}


MADE: dict[str, Callable[[Path], dict[str, Any]]] = {
    "embedded": lambda _: {"count": 14, "scales": [0.0, 0.05], "batch_size": 4},
    "imported": photographs,
    "fake_it": lambda _: {"limit": 11, "steps": 3},
    "sona": lambda _: {"limit": 11, "steps": 3},
    "gan": lambda _: {"limit": 11, "epochs": 1, "batch_size": 12, "channels": 8, "image_size": 8},
    "stable_diffusion": pipeline,
}
"""By source, parameters of a tiny one; a new source needs a line here."""

WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    "embedded": [
        ({"method": "vso"}, "did you mean vos"),
        ({"params": {"strat": 3}}, "strat"),
        ({"scales": []}, "scales"),
        ({"no": 1}, "no"),
    ],
    "imported": [({"path": "/nowhere"}, "/nowhere"), ({"limit": 0}, "limit"), ({"no": 1}, "no")],
    "fake_it": [({"steps": 0}, "steps"), ({"limit": 0}, "limit"), ({"no": 1}, "no")],
    "sona": [({"start": 1001}, "start"), ({"region": 0}, "region"), ({"guidance": -1}, "guidance"), ({"no": 1}, "no")],
    "gan": [({"image_size": 24}, "24.*power of 2"), ({"channels": 12}, "channels"), ({"epochs": 0}, "epochs"), ({"no": 1}, "no")],
    "stable_diffusion": [
        ({"model": "/nowhere"}, "/nowhere"),
        ({"model": "/"}, "model_index.json"),
        ({"guidance": 0}, "guidance"),
        ({"no": 1}, "no"),
    ],
}
"""By source, what `of` or `check` refuses, and what they name."""


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> Config:
    quick = ["decode.steps=2", "decode.draws=1", "synthesise.score_samples=1", "compute.precision=fp32"]
    path = tmp_path_factory.mktemp("weights") / "pixels.safetensors"
    small = ["pixels.image_size=16", "pixels.channels=8", "pixels.multipliers=[1, 2]", f"pixels.weights={path}"]
    made = load_config("miniworld", [*quick, *small])
    assert made.pixels is not None
    weights.save(path, PixelDiffusion(made.pixels, classes=10).state_dict())
    return made


@pytest.fixture(scope="module")
def given(cfg: Config) -> Given:
    """24 ID images with their embeddings and all models."""
    models = Models(cfg)
    images = dataset["miniworld"](None, "train", count=24, size=SIZE)
    pixels = images.pixels(SIZE)
    z0 = encode(models.encoder, pixels, models.compute)
    return Given(SIZE, models.compute, Silent(), images.labels, images.classes, list(images.ids), z0, models, pixels)


@pytest.fixture(autouse=True)
def groups_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badood.outliers.source.group_rows", lambda size: 3)
    monkeypatch.setattr("badood.outliers.imported.GROUP", 3)


@pytest.fixture(params=sorted(outlier_source))
def name(request: pytest.FixtureRequest) -> str:
    """Every source that is registered."""
    assert request.param in MADE, f"say in MADE how a tiny {request.param} is made"
    return str(request.param)


@pytest.fixture
def source(name: str, cfg: Config, tmp_path: Path) -> OutlierSource:
    return made(name, cfg, MADE[name](tmp_path))


def made(name: str, cfg: Config, params: dict[str, Any], count: int | None = None) -> OutlierSource:
    return outlier_source[name].of(cfg, Entry(name=name, source=name, params=params, count=count))


def table(group: Group) -> dict[str, list[Any]]:
    return {key: np.asarray(values).tolist() for key, values in group.columns.items()}


def test_what_is_announced_is_given_in_small_groups_of_one_shape(source: OutlierSource, given: Given) -> None:
    source.check()
    total, groups = source.total(given), list(source.groups(given, 0))
    assert len(groups) > 2
    assert sum(len(group.images) for group in groups) == total
    assert len({(tuple(group.columns), group.embeddings is None) for group in groups}) == 1
    for group in groups:
        n = len(group.images)
        assert n > 0
        assert (group.images.shape, group.images.dtype) == ((n, 3, SIZE, SIZE), np.uint8)
        assert all(len(values) == n for values in group.columns.values())
        assert group.embeddings is None or (len(group.embeddings) == n and np.isfinite(group.embeddings).all())
    assert len({group.images[row].tobytes() for group in groups for row in range(len(group.images))}) > total / 2, "outliers differ"


def test_it_goes_on_at_any_group_with_the_same_rows(source: OutlierSource, given: Given, name: str, cfg: Config, tmp_path: Path) -> None:
    whole, first = list(source.groups(given, 0)), 0
    for place in range(len(whole) + 1):
        fresh = made(name, cfg, source_params(name, tmp_path))
        again = list(fresh.groups(given, first))
        assert len(again) == len(whole) - place
        for group, expected in zip(again, whole[place:], strict=True):
            np.testing.assert_array_equal(group.images, expected.images)
            assert table(group) == table(expected)
            if expected.embeddings is not None:
                np.testing.assert_array_equal(group.embeddings, expected.embeddings)
        first += len(whole[place].images) if place < len(whole) else 0


def source_params(name: str, folder: Path) -> dict[str, Any]:
    """Those of the source before, whose files are there."""
    return {"path": str(folder)} if name == "imported" else MADE[name](folder)


def test_the_settings_of_the_source_are_not_changed_by_use(source: OutlierSource, given: Given) -> None:
    before, key = repr(source), source.key
    list(source.groups(given, 0))
    assert (repr(source), source.key) == (before, key)


def test_a_count_is_an_upper_limit(name: str, cfg: Config, given: Given, tmp_path: Path) -> None:
    few = made(name, cfg, MADE[name](tmp_path), count=4)
    assert 0 < few.total(given) <= 4
    assert sum(len(group.images) for group in few.groups(given, 0)) == few.total(given)
    assert few.key != made(name, cfg, source_params(name, tmp_path)).key


def test_what_is_wrong_is_named_before_the_work(name: str, cfg: Config, tmp_path: Path) -> None:
    assert name in WRONG, f"say in WRONG what {name} refuses"
    good = MADE[name](tmp_path)
    for wrong, said in WRONG[name]:
        with pytest.raises((BadConfig, BadInput), match=said):
            made(name, cfg, good | wrong).check()


def test_its_key_is_of_what_it_reads_and_not_of_where(name: str, cfg: Config, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    key = made(name, cfg, MADE[name](folder)).key
    folder.rename(tmp_path / "there")
    params = source_params(name, tmp_path / "there")
    assert made(name, cfg, params).key == key
    assert str(tmp_path) not in key
    if "path" in params:
        (tmp_path / "there" / "05.png").write_bytes((tmp_path / "there" / "06.png").read_bytes() + b"\0")
        assert made(name, cfg, params).key != key


def test_what_was_left_out_is_listed(source: OutlierSource, given: Given, name: str) -> None:
    source.total(given)
    assert [entry.path for entry in source.skipped()] == (["04.png"] if name == "imported" else [])


def test_it_uses_no_model_that_it_does_not_name(source: OutlierSource, given: Given) -> None:
    if not source.needs:
        bare = replace(given, models=None, z0=None)
        assert sum(len(group.images) for group in source.groups(bare, 0)) == source.total(bare)
    assert torch.is_grad_enabled()
