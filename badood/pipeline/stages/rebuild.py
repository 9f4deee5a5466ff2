"""ID training images through the tokenizer and back, so that the decoder's look alone marks no outlier."""

from pathlib import Path

import numpy as np

from badood.pipeline.artefacts import Images, Rebuilt
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage


@stage("rebuild", version=1, result=Rebuilt)
def rebuild(out: Path, train: Images, models: Models, ctx: Context) -> None:
    """`images.npy` (N, 3, S, S) uint8."""
    np.save(out / "images.npy", models.at(ctx).rebuild(train.pixels[:], ctx.progress).numpy())
