"""What the encoder says of outliers, whatever made them: embedding, nearest training image, minority score."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from badood.core.noise import Noise
from badood.core.rows import pieces
from badood.encode.features import encode
from badood.pipeline.artefacts import Described, Encoded, Outliers
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage
from badood.synthesise.guidance import minority_score

_CHUNK = 2048
"""Outliers in memory at a time."""


@stage("describe", version=1, result=Described)
def describe(out: Path, outliers: Outliers, encoded: Encoded, models: Models, renoise: int, samples: int, ctx: Context) -> None:
    """`embeddings.npy` (M, D) and `described.parquet`: nearest_row, nearest_cosine, and minority_score of those that brought none.

    Args:
        encoded: z0 of the ID training images. models: encoder; RDM where scores are to be taken.
        renoise, samples: of the minority score, as `Synthesise` has them.
    """
    models = models.at(ctx)
    z0 = torch.from_numpy(np.array(encoded.z0))
    unit = torch.nn.functional.normalize(z0, dim=1)
    total = len(outliers)
    embeddings = np.lib.format.open_memmap(out / "embeddings.npy", mode="w+", dtype=np.float32, shape=(total, z0.shape[1]))
    row, cosine, score = np.empty(total, np.int64), np.empty(total, np.float32), np.full(total, np.nan, np.float32)
    first, pixels = 0, outliers.pixels
    for _, made in outliers.parts:
        brought = made.embeddings
        told = made.table()
        known = told["minority_score"].to_numpy() if "minority_score" in told.column_names else None
        for piece in pieces(made.count, _CHUNK):
            here = slice(first + piece.start, first + piece.stop)
            z = (
                torch.from_numpy(np.array(brought[piece]))
                if brought is not None and brought.shape[1] == z0.shape[1]
                else encode(models.encoder, pixels[here], ctx.compute)
            )
            embeddings[here] = z.numpy()
            near = (torch.nn.functional.normalize(z, dim=1) @ unit.T).max(dim=1)
            row[here], cosine[here] = near.indices.numpy(), near.values.numpy()
            if known is not None:
                score[here] = known[piece]
            elif "rdm" in models.used:
                score[here] = _scored(models, z, np.arange(here.start, here.stop), renoise, samples)
            ctx.progress.update("describe", here.stop, total)
        first += made.count
    embeddings.flush()
    table = pd.DataFrame({"nearest_row": row, "nearest_cosine": cosine, "minority_score": score})
    table.to_parquet(out / "described.parquet")


def _scored(models: Models, z: torch.Tensor, ids: np.ndarray, renoise: int, samples: int) -> np.ndarray:
    """(n,) minority score, unconditionally: an outlier from elsewhere has no class."""
    compute = models.compute
    with compute.autocast():
        labels = compute.put(torch.zeros(len(z), dtype=torch.int64))
        found = minority_score(models.rdm.frozen(labels), compute.put(z), renoise=renoise, noise=Noise(0, ids), samples=samples)
    return np.asarray(found.float().cpu().numpy())
