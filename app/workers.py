"""The processes beside the dashboard: a worker for long jobs, a companion for quick answers."""

from functools import lru_cache

from badood.jobs.companion import Companion
from badood.jobs.worker import StartedWorker, start_if_none


@lru_cache(maxsize=1)
def companion() -> Companion:
    """The one companion of this dashboard."""
    return Companion()


def ensure_worker() -> StartedWorker | None:
    """Start a worker if none is alive; None where one was."""
    return start_if_none()
