"""What plug-ins are tested on: a whole run of a few images, made in seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badood.config import Config, load_config
from badood.pipeline.engines import Local
from badood.pipeline.path import run
from badood.pipeline.runs import Run


def tiny_settings(folder: Path) -> Config:
    """A run of 60 rendered images and 40 outliers of a file, with a network of a few thousand weights."""
    outliers = folder / "noise.npy"
    if not outliers.exists():
        np.save(outliers, np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8))
    rendered = "{dataset: miniworld, split: %s, params: {classes: %s, count: %d, size: 32}}"
    sets = {"train": ("train", "id", 60), "test": ("test", "id", 20)}
    return load_config(
        "miniworld",
        [
            *(f"data.{name}={rendered % entry}" for name, entry in sets.items()),
            "data.auxiliary=[{name: auxiliary, dataset: noise, params: {count: 16, size: 32}}]",
            "data.ood=[{name: textures, dataset: textures, params: {count: 12, size: 32}}]",
            "data.grid={name: grid, dataset: miniworld-grid, params: {per_cell: 1, size: 32}}",
            "data.image_size=32",
            "data.validation_share=0.3",
            f"outliers=[{{name: noise, source: imported, params: {{path: {outliers}}}}}]",
            "compute.threads=1",
            "compute.precision=fp32",
            "detector.epochs=12",
            "detector.beta=1",
            "detector.batch_size=16",
            "detector.backbone_params={channels: [8, 8, 8, 8], stem_width: 8}",
            "evaluate.filters=[all, minority]",
            "evaluate.scorers=[msp, {name: knn, k: 3}]",
            "calibrate.score=energy",
            "filter={strategy: quantile, lo: 0.0, hi: 1.0, count: 20}",
        ],
    )


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The run, made by `Local`; read only."""
    import torch

    folder, threads = tmp_path_factory.mktemp("tiny"), torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BADOOD_HOME", str(folder))
        yield run(tiny_settings(folder), "tiny", engine=Local)
    torch.set_num_threads(threads)


def contents(folder: Path) -> dict[str, bytes]:
    """Every finished file below a folder with what is in it."""
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file() and file.name[0] != "."
    }


def walked(value: Any) -> Iterator[Any]:
    """A value and all that lies in its lists and dictionaries."""
    yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for each in inside:
        yield from walked(each)
