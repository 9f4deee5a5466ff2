"""Features of the first detector, on which previews retrain its head within seconds."""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.core.rows import Rows, evenly
from badood.pipeline.artefacts import Features, Images, Outliers, Trained
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.detect import seeing

ENOUGH = 10_000
"""As many images of either kind fix a linear head; more only cost time."""

_CHUNK = 16_384
"""Images whose features are in memory at a time."""


@stage("features", version=1, result=Features)
def features(out: Path, trained: Trained, train: Images, outliers: Outliers, validation: Images, auxiliary: Images, ctx: Context) -> None:
    """`train.npy`, `outliers.npy`, `validation.npy`, `auxiliary.npy`: (N, D) float16; `labels.npy` of train."""
    rows = evenly(len(train), ENOUGH)
    parts = {"train": train.pixels.take(rows), "outliers": outliers.pixels, "validation": validation.pixels, "auxiliary": auxiliary.pixels}
    pieces = {name: list(pixels.parts(_CHUNK)) for name, pixels in parts.items()}
    made = ctx.over("features", [piece for each in pieces.values() for piece in each], featuring, trained)
    for name, pixels in parts.items():
        _write(out / f"{name}.npy", len(pixels), islice(made, len(pieces[name])))
    np.save(out / "labels.npy", train.labels[rows])


def featuring(trained: Trained, ctx: Context) -> Callable[[Rows], NDArray[np.float16]]:
    """(n, D) features of some images."""
    see = seeing(trained, ctx)
    return lambda pixels: np.asarray(see(pixels).features, dtype=np.float16)


def _write(path: Path, count: int, parts: Iterable[NDArray[np.float16]]) -> None:
    with path.open("wb") as file:
        for number, part in enumerate(parts):
            if number == 0:
                shape = (count, part.shape[1])
                np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
            file.write(np.ascontiguousarray(part).tobytes())
