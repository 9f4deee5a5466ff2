"""Previews of all bands."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.filter import sweep as sweep_bands
from badood.pipeline.artefacts import Confidence, Sweep
from badood.pipeline.preview import Previews
from badood.pipeline.stage import Context, stage

_LIMITS = 11
"""Limits between the ends of the span: 55 bands."""


@stage("sweep", version=1, result=Sweep, shared=False)
def sweep(out: Path, quantiles: bool, span: list[float], confidence: Confidence, previews: Previews, ctx: Context) -> None:
    """`sweep.parquet`: a row a band, as `filter.sweep` makes them."""
    ctx.take_threads()
    done = 0

    def counted(kept: NDArray[np.bool_]) -> dict[str, float]:
        nonlocal done
        ctx.progress.update("sweep", done, _LIMITS * (_LIMITS - 1) // 2)
        done += 1
        return previews.head_metrics(kept)

    outliers = pd.DataFrame({"id_confidence": confidence.outliers})
    table = sweep_bands(outliers, confidence.validation, counted, steps=_LIMITS, span=(span[0], span[1]), quantiles=quantiles)
    table.to_parquet(out / "sweep.parquet")
