"""Previews of all bands, for the heatmap that shows where a good band may lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind

_LIMITS = 11
"""Limits between the ends of the span: 55 bands."""


@job_kind("sweep")
def sweep(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """`sweep.parquet` of `filter.sweep`, noted in `run.json` under `sweep`.

    Args:
        arguments: run (its id), quantiles (whether the limits are quantiles of ID validation), span (the lowest and the highest limit).
    """
    from badood.filter import sweep as sweep_bands
    from badood.pipeline.method import Method
    from badood.pipeline.runs import open_run

    method = Method(open_run(arguments["run"], progress))
    quantiles, span = bool(arguments["quantiles"]), (float(arguments["span"][0]), float(arguments["span"][1]))
    outliers = pd.read_parquet(method.confidence / "outliers.parquet")
    reference = pd.read_parquet(method.confidence / "reference.parquet")
    validation = reference.loc[reference["set"] == "validation", "id_confidence"].to_numpy()
    done = 0

    def counted(kept: NDArray[np.bool_]) -> dict[str, float]:
        nonlocal done
        progress.update("sweep", done, _LIMITS * (_LIMITS - 1) // 2)
        done += 1
        return method.preview(kept)

    folder = method.run.artefact(
        "sweep",
        [method.confidence.name, _LIMITS, quantiles, span],
        lambda out: sweep_bands(outliers, validation, counted, steps=_LIMITS, span=span, quantiles=quantiles).to_parquet(
            out / "sweep.parquet"
        ),
    )
    unit = "quantile" if quantiles else "confidence"
    noted = method.run.record.get("sweep", {}) | {unit: str(folder.relative_to(method.run.folder))}
    method.run.note(sweep=noted)
    return {"sweep": noted[unit]}
