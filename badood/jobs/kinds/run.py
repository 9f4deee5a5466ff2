"""A whole run."""

from collections.abc import Mapping
from typing import Any

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind


@job_kind("run")
def run(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Every stage of the method, continued where an earlier attempt was cut off.

    Args:
        arguments: config (resolved settings), name (the run's id).
    """
    from badood.config import validate
    from badood.pipeline.path import run as run_path

    finished = run_path(validate(arguments["config"]), arguments["name"], progress)
    return {"run_id": finished.id}
