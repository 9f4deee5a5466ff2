"""ID training images through the tokenizer and back, so that the decoder's look alone marks no outlier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.core.rows import pieces
from badood.pipeline.artefacts import Images, Rebuilt
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage

_CHUNK = 512
"""Images that whoever works at them takes at a time."""


@stage("rebuild", version=1, result=Rebuilt)
def rebuild(out: Path, train: Images, models: Models, ctx: Context) -> None:
    """`images.npy` (N, 3, S, S) uint8."""
    parts, images = list(pieces(len(train), _CHUNK)), []
    for rows, made in zip(parts, ctx.over("rebuild", parts, rebuilding, train, models), strict=True):
        images.append(made)
        ctx.progress.update("rebuild", rows.stop, len(train))
    np.save(out / "images.npy", np.concatenate(images))


def rebuilding(train: Images, models: Models, ctx: Context) -> Callable[[slice], NDArray[np.uint8]]:
    """(n, 3, S, S) reconstructions of some ID training images."""
    placed = models.at(ctx)
    return lambda rows: placed.rebuild(train.pixels[rows]).numpy()
