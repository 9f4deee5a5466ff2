"""ID training images through the tokenizer and back, so that the decoder's look alone marks no outlier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.pipeline.artefacts import Images, Rebuilt
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage


@stage("rebuild", version=1, result=Rebuilt)
def rebuild(out: Path, train: Images, models: Models, ctx: Context) -> None:
    """`images.npy` (N, 3, S, S) uint8."""
    np.save(out / "images.npy", ctx.rows("rebuild", len(train), rebuilding, train, models))


def rebuilding(train: Images, models: Models, ctx: Context) -> Callable[[slice], NDArray[np.uint8]]:
    """(n, 3, S, S) reconstructions of some ID training images."""
    placed = models.at(ctx)
    return lambda rows: placed.rebuild(train.pixels[rows]).numpy()
