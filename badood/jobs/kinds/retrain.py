"""A detector retrained on what a band keeps."""

from collections.abc import Mapping
from typing import Any

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind


@job_kind("retrain")
def retrain(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Filter, retrain, evaluate; the row also appears in the run's filter table.

    Args:
        arguments: run (its id), filter (fields of `config.Filter`), and name (of the row; none = as the filter says).
    """
    from badood.config import Filter
    from badood.pipeline.path import retrain as retrain_run
    from badood.pipeline.runs import open_run

    row = retrain_run(open_run(arguments["run"], progress), Filter(**arguments["filter"]), arguments.get("name"))
    return {key: getattr(row, key) for key in ("name", "kept", "lo", "hi", "overlap", "fpr95", "auroc", "aupr", "id_accuracy")}
