"""Every data set loads a tiny instance of itself, and its own defaults pass the check."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from badood.config import Source
from badood.core.errors import BadConfig
from badood.data import dataset
from badood.data.fingerprint import fingerprint
from badood.data.splits import check_source, load
from tests.data import published
from tests.pipeline.tiny import photos


def written(file: Path, count: int, classes: int, label: str) -> None:
    """Images as Hugging Face `datasets` writes them."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageColumn

    pixels = np.random.default_rng(len(file.name)).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    rows = {"image": [Image.fromarray(image) for image in pixels], label: [row % classes for row in range(count)]}
    features = Features({"image": ImageColumn(), label: ClassLabel(names=[f"class {number}" for number in range(classes)])})
    Dataset.from_dict(rows, features=features).to_parquet(str(file))


def cifar(folder: Path, classes: int) -> Source:
    for split in ("train", "test"):
        written(folder / f"{split}-0.parquet", classes, classes, "label" if classes == 10 else "fine_label")
    return Source(dataset=f"cifar{classes}", path=str(folder))


def parquet(folder: Path) -> Source:
    written(folder / "all.parquet", 10, 2, "label")
    return Source(dataset="parquet", path=str(folder))


def synis(folder: Path) -> Source:
    for semantic in range(8):
        for covariate in range(8):
            name = f"{semantic}-{covariate}.png"
            Image.new("RGB", (16, 16), (20 * semantic, 20 * covariate, 0)).save(folder / name)
            (folder / f"cov_{covariate}_sem_{semantic}.txt").write_text(f"{name}\n")
    return Source(dataset="synis", path=str(folder), split="test")


def imglist(folder: Path) -> Source:
    published.flat("images_classic/cifar10", ".png")(folder)
    (folder / "list.txt").write_text("".join(f"cifar10/{number}.png {number % 2}\n" for number in range(4)))
    return Source(dataset="imglist", path=str(folder / "list.txt"), params={"images": str(folder / "images_classic")})


def rendered(name: str, **params: Any) -> Callable[[Path], Source]:
    return lambda _: Source(dataset=name, params={"size": 16, **params})


MADE: dict[str, Callable[[Path], Source]] = {
    "miniworld": rendered("miniworld", count=20),
    "miniworld-grid": rendered("miniworld-grid", per_cell=1),
    "textures": rendered("textures", count=8),
    "noise": rendered("noise", count=6),
    "cifar10": lambda folder: cifar(folder, 10),
    "cifar100": lambda folder: cifar(folder, 100),
    "folder": lambda folder: Source(dataset="folder", path=str(photos(folder, ["candle", "jeep"], 5))),
    "parquet": parquet,
    "synis": synis,
    "imglist": imglist,
    "part": lambda _: Source(dataset="part", params={"of": "miniworld", "params": {"size": 16, "count": 30}, "thinned": 0.5}),
    **{name: partial(published.source_of, name) for name in published.LAYOUTS},
}
"""By data set, a tiny instance; a new one needs a line here."""


FOR_TESTING = {"synis", "imglist", *published.LAYOUTS} - {"mnist", "tinyimagenet"}
"""Data sets that are not divided."""


@pytest.fixture(params=sorted(dataset))
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    if request.param == "svhn":
        published.svhn(tmp_path, monkeypatch)
        return Source(dataset="svhn", path=str(tmp_path))
    assert request.param in MADE, f"say in MADE how a tiny {request.param} is made"
    return MADE[request.param](tmp_path)


def test_it_holds_images_whose_labels_are_classes(source: Source) -> None:
    check_source(source, None)
    images = load(source, None)
    n = len(images)
    assert n > 1
    assert images.labels.dtype == np.int64
    assert (images.labels.min(), images.labels.max()) >= (0, 0)
    assert images.labels.max() < len(images.classes) == len(set(images.classes))
    assert len(images.ids) == len(set(images.ids)) == n
    assert all(len(values) == n for values in images.levels.values())
    for row in (0, n - 1):
        pixels = images.read(row)
        assert (pixels.ndim, pixels.shape[2], pixels.dtype) == (3, 3, np.uint8)
    assert images.pixels(8).shape == (n, 3, 8, 8)


def test_it_is_the_same_each_time_it_is_read(source: Source) -> None:
    first, again = load(source, None), load(source, None)
    assert (first.name, first.classes, first.ids) == (again.name, again.classes, again.ids)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert bool((first.pixels(8) == again.pixels(8)).all())
    assert fingerprint(source, None) == fingerprint(source, None)


def test_both_splits_share_no_image(source: Source, request: pytest.FixtureRequest) -> None:
    if source.dataset in FOR_TESTING:
        return  # as published
    parts = [load(source.model_copy(update={"split": split}), None) for split in ("train", "test")]
    assert all(len(part) for part in parts)
    if source.path is None or not source.dataset.startswith("cifar"):
        seen = [{part.read(row).tobytes() for row in range(len(part))} for part in parts]
        assert not seen[0] & seen[1]
    assert parts[0].classes == parts[1].classes


def test_a_limit_is_kept_and_a_parameter_that_nobody_knows_is_named(source: Source) -> None:
    assert len(load(source.model_copy(update={"limit": 2}), None)) == 2
    with pytest.raises(BadConfig, match="conut"):
        check_source(source.model_copy(update={"params": source.params | {"conut": 3}}), None)
