"""The process that does one job: `python -m badood.jobs.child NUMBER WORKER`, started by the worker of that process id."""

import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from badood.core.errors import one_line
from badood.core.processes import end_with_parent
from badood.jobs.kinds import job_kind
from badood.store import Database, jobs, open_database, patiently

_WRITE_SECONDS = 0.5
"""Between two reports of the same stage."""

_NICENESS = 10
"""Well below the dashboard, so that pages answer while a training runs."""

_UNSURE_SECONDS = 5.0
"""Of a stage, until its time left is told."""

_AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares the processor between sessions first, and only then by niceness among the processes of one."""


@dataclass
class Reported:
    """A `Progress` that writes to the job's record, with the time left of the stage."""

    database: Database
    job_id: int
    _stage: str = ""
    _began: float = 0.0
    _first: int = 0
    _wrote: float = field(default=float("-inf"))

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Write, at most twice a second but always the first and the last step of a stage."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first, self._wrote = stage, now, step, float("-inf")
        if step < total and now - self._wrote < _WRITE_SECONDS:
            return
        self._wrote = now
        done = step - self._first  # a resumed training starts in the middle
        # the first steps warm up, and tell nothing of the others
        left = (now - self._began) / done * (total - step) if done > 0 and now - self._began > _UNSURE_SECONDS else None
        try:
            jobs.progress(self.database, self.job_id, stage=stage, step=step, total=total, figures=figures, eta_seconds=left)
        except SQLAlchemyError as error:  # how far it is may be told late; the work goes on
            print(f"progress: {error}", file=sys.stderr)


def do(job_id: int) -> int:
    """Do the job and write down how it ended; the process's exit code."""
    database = open_database()
    job = jobs.get(database, job_id)
    try:
        result = job_kind[job.kind](job.arguments, Reported(database, job_id))
    except Exception as error:
        traceback.print_exc()
        told = one_line(error) or f"{type(error).__name__}: {error}"
        patiently(lambda: jobs.finish(database, job_id, "failed", error=told))
        return 1
    patiently(lambda: jobs.finish(database, job_id, "done", result=result))
    return 0


def _step_back() -> None:
    """Lower the priority of this process and its session, which the worker made for it alone."""
    os.nice(_NICENESS)
    with suppress(OSError):  # not on other systems, nor where an administrator switched it off
        _AUTOGROUP.write_text(str(_NICENESS))


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]))
    _step_back()
    sys.exit(do(int(sys.argv[1])))
