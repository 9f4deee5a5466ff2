"""What the encoder says of outliers, whatever made them: embedding, nearest training image, minority score."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from badood.core.noise import Noise
from badood.core.rows import pieces
from badood.encode.features import encode
from badood.pipeline.artefacts import Described, Encoded, Made, Outliers
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
    total, dim = len(outliers), encoded.z0.shape[1]
    embeddings = np.lib.format.open_memmap(out / "embeddings.npy", mode="w+", dtype=np.float32, shape=(total, dim))
    parts = [(number, rows) for number, (_, made) in enumerate(outliers.parts) for rows in pieces(made.count, _CHUNK)]
    tables: list[pd.DataFrame] = []
    done = 0
    for z, table in ctx.over("describe", parts, describing, outliers, encoded, models, renoise, samples):
        embeddings[done : done + len(z)] = z
        tables.append(table)
        done += len(z)
        ctx.progress.update("describe", done, total)
    embeddings.flush()
    pd.concat(tables, ignore_index=True).to_parquet(out / "described.parquet")


def describing(
    outliers: Outliers, encoded: Encoded, models: Models, renoise: int, samples: int, ctx: Context
) -> Callable[[tuple[int, slice]], tuple[NDArray[np.float32], pd.DataFrame]]:
    """(n, D) embeddings and table of some outliers: number of their source, rows of it."""
    models = models.at(ctx)
    unit = torch.nn.functional.normalize(torch.from_numpy(np.array(encoded.z0)), dim=1)
    firsts = np.cumsum([0, *[made.count for _, made in outliers.parts]])
    scores = [_brought_score(made) for _, made in outliers.parts]

    def described(piece: tuple[int, slice]) -> tuple[NDArray[np.float32], pd.DataFrame]:
        number, rows = piece
        here = slice(firsts[number] + rows.start, firsts[number] + rows.stop)
        brought = outliers.parts[number][1].embeddings
        z = (
            torch.from_numpy(np.array(brought[rows]))
            if brought is not None and brought.shape[1] == unit.shape[1]
            else encode(models.encoder, outliers.pixels[here], ctx.compute)
        )
        near = (torch.nn.functional.normalize(z, dim=1) @ unit.T).max(dim=1)
        score = np.full(len(z), np.nan, np.float32)
        if (known := scores[number]) is not None:
            score[:] = known[rows]
        elif "rdm" in models.used:
            score[:] = _scored(models, z, np.arange(here.start, here.stop), renoise, samples)
        return z.numpy(), pd.DataFrame(
            {"nearest_row": near.indices.numpy(), "nearest_cosine": near.values.numpy(), "minority_score": score}
        )

    return described


def _brought_score(made: Made) -> NDArray[np.floating] | None:
    """(n,) minority scores that a source brought."""
    told = made.table()
    return told["minority_score"].to_numpy() if "minority_score" in told.column_names else None


def _scored(models: Models, z: torch.Tensor, ids: np.ndarray, renoise: int, samples: int) -> np.ndarray:
    """(n,) minority score, unconditionally: an outlier from elsewhere has no class."""
    compute = models.compute
    with compute.autocast():
        labels = compute.put(torch.zeros(len(z), dtype=torch.int64))
        found = minority_score(models.rdm.frozen(labels), compute.put(z), renoise=renoise, noise=Noise(0, ids), samples=samples)
    return np.asarray(found.float().cpu().numpy())
