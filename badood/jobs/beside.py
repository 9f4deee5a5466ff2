"""The worker beside this process, for whoever hands in work and wants it done."""

import threading

from badood.jobs.worker import StartedWorker, start_if_none

_starting = threading.Lock()
_started: list[StartedWorker] = []
"""The newest worker of this process, if it ever had to start one."""


def ensure_worker() -> None:
    """Start a worker if none is alive. One that was started and has not said yet that it is there counts as alive."""
    with _starting:
        if _started and _started[-1].process.poll() is None:
            return
        fresh = start_if_none()
        if fresh is not None:
            _started[:] = [fresh]


def dismiss_worker() -> None:
    """Let the worker that this process started finish what it does, and go."""
    for worker in _started:
        worker.leave_when_done()
