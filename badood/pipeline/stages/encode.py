"""ID images -> z0. Paper sec. 3.1."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from badood.encode.features import encode as encoded
from badood.pipeline.artefacts import Encoded, Images
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage


@stage("encode", version=1, result=Encoded)
def encode(out: Path, train: Images, models: Models, ctx: Context) -> None:
    """`z0.npy` (N, D) float32 of the ID training images that the detector learns from."""
    np.save(out / "z0.npy", ctx.rows("encode", len(train), encoding, train, models))


def encoding(train: Images, models: Models, ctx: Context) -> Callable[[slice], NDArray[np.float32]]:
    """(n, D) z0 of some ID training images."""
    encoder = models.at(ctx).encoder
    return lambda rows: encoded(encoder, train.pixels[rows], ctx.compute).numpy()
