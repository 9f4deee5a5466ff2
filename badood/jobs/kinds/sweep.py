"""Previews of all bands, for the heatmap that shows where a good band may lie."""

from collections.abc import Mapping
from typing import Any

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind


@job_kind("sweep")
def sweep(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """`sweep.parquet` of `filter.sweep`, noted in `run.json` among the results, under `sweep confidence` or `sweep quantile`.

    Args:
        arguments: run (its id), quantiles (whether the limits are quantiles of ID validation), span (the lowest and the highest limit).
    """
    from badood.pipeline.engines import Local
    from badood.pipeline.opened import recorded
    from badood.pipeline.runs import open_run
    from badood.pipeline.stage import Context
    from badood.pipeline.stages.sweep import sweep as sweep_stage

    run = open_run(arguments["run"], progress)
    with run.at_work():
        quantiles, span = bool(arguments["quantiles"]), [float(limit) for limit in arguments["span"]]
        found = recorded(run)
        made = Local(run, Context(run.cfg.compute, progress))(sweep_stage, quantiles, span, found.confidence, found.previews)
        unit = "sweep quantile" if quantiles else "sweep confidence"
        run.note_results(**{unit: made.folder})
    return {"sweep": run.record["results"][unit]}
