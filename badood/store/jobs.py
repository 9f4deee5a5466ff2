"""The record of long work. Every change of state names the states it may come from, so that two writers cannot both win."""

import datetime
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import delete, select, update

from badood.core.errors import BadInput
from badood.store.database import Database
from badood.store.tables import Job, Worker, now

OPEN = ("queued", "running")
"""States of a job that is not over."""

OVER = ("done", "failed", "cancelled", "interrupted")
"""States of a job that is over. Interrupted: its worker died, or the machine went down."""

SILENT = datetime.timedelta(seconds=30)
"""A worker on another machine that has said nothing for so long is dead; on this machine its process is looked up."""


def create(database: Database, kind: str, arguments: Mapping[str, Any], run_id: str | None = None) -> Job:
    """A new queued job."""
    with database.session() as session:
        job = Job(kind=kind, arguments=dict(arguments), run_id=run_id, figures={}, state="queued", cancel_requested=False)
        session.add(job)
    return job


def get(database: Database, job_id: int) -> Job:
    """One job.

    Raises:
        BadInput: there is none.
    """
    with database.session() as session:
        job = session.get(Job, job_id)
    if job is None:
        raise BadInput(f"there is no job {job_id}; it may have been made in another store (BADOOD_HOME, BADOOD_DATABASE_URL).")
    return job


def listed(
    database: Database, *, run_id: str | None = None, states: Sequence[str] = (), kinds: Sequence[str] = (), limit: int = 50
) -> list[Job]:
    """Jobs, newest first; empty conditions let everything through."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if run_id is not None:
        query = query.where(Job.run_id == run_id)
    if states:
        query = query.where(Job.state.in_(states))
    if kinds:
        query = query.where(Job.kind.in_(kinds))
    with database.session() as session:
        return list(session.scalars(query))


def _change(database: Database, job_id: int, allowed: Sequence[str], **values: Any) -> bool:
    """Set values where the job's state is among `allowed`; whether it was."""
    with database.session() as session:
        done = session.execute(update(Job).where(Job.id == job_id, Job.state.in_(allowed)).values(**values))
        return bool(done.rowcount)  # type: ignore[attr-defined]


def start(database: Database, job_id: int, worker_id: str) -> bool:
    """queued -> running; False where it was cancelled meanwhile, or another worker has it."""
    fresh: dict[str, Any] = {
        "stage": None,
        "step": None,
        "total": None,
        "figures": {},
        "eta_seconds": None,
        "error": None,
        "finished_at": None,
    }
    return _change(database, job_id, ["queued"], state="running", worker_id=worker_id, started_at=now(), heartbeat_at=now(), **fresh)


def note_process(database: Database, job_id: int, pid: int) -> None:
    """The process that does the work."""
    _change(database, job_id, ["running"], pid=pid)


def progress(
    database: Database, job_id: int, *, stage: str, step: int, total: int, figures: Mapping[str, float], eta_seconds: float | None
) -> bool:
    """How far a running job is; False where it is not running any more."""
    values = {"stage": stage, "step": step, "total": total, "figures": dict(figures), "eta_seconds": eta_seconds}
    return _change(database, job_id, ["running"], heartbeat_at=now(), **values)


def finish(database: Database, job_id: int, state: str, *, error: str | None = None, result: Mapping[str, Any] | None = None) -> bool:
    """running -> one of `OVER`; False where it was over already."""
    values = {"state": state, "error": error, "result": None if result is None else dict(result)}
    return _change(database, job_id, ["running"], finished_at=now(), pid=None, eta_seconds=None, **values)


def request_cancel(database: Database, job_id: int) -> None:
    """A queued job is cancelled at once; a running one by its worker, within two seconds."""
    if not _change(database, job_id, ["queued"], state="cancelled", finished_at=now()):
        _change(database, job_id, ["running"], cancel_requested=True)


def requeue(database: Database, job_id: int) -> bool:
    """A job that is over, but not done, -> queued; False otherwise."""
    again = [state for state in OVER if state != "done"]
    return _change(database, job_id, again, state="queued", cancel_requested=False, error=None, finished_at=None, worker_id=None, pid=None)


def forget(database: Database, job_id: int) -> None:
    """Remove a job that is over; one that is not stays."""
    with database.session() as session:
        session.execute(delete(Job).where(Job.id == job_id, Job.state.in_(OVER)))


def own_id() -> str:
    """The id of this process as a worker."""
    return _id_of(socket.gethostname(), os.getpid())


def _id_of(host: str, pid: int) -> str:
    """Host, process, and since when it runs, by the clock that nobody sets: a number of a process is given again, and times of day are set back."""
    status = Path(f"/proc/{pid}/stat")  # of Linux
    ticks = status.read_text().rpartition(")")[2].split()[19] if status.exists() else f"{psutil.Process(pid).create_time():.0f}"
    return f"{host}:{pid}:{ticks}"


def register_worker(database: Database) -> str:
    """Enter this process as a worker; its id."""
    with database.session() as session:
        session.execute(delete(Worker).where(Worker.id == own_id()))
        session.add(Worker(id=own_id(), host=socket.gethostname(), pid=os.getpid()))
    return own_id()


def beat(database: Database, worker_id: str) -> None:
    """The worker is there."""
    with database.session() as session:
        session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=now()))


def leave(database: Database, worker_id: str) -> None:
    """The worker goes."""
    with database.session() as session:
        session.execute(delete(Worker).where(Worker.id == worker_id))


def alive_workers(database: Database) -> list[Worker]:
    """The workers that are there; entries of dead ones are removed."""
    with database.session() as session:
        workers = list(session.scalars(select(Worker)))
        dead = [worker.id for worker in workers if not _alive(worker)]
        if dead:
            session.execute(delete(Worker).where(Worker.id.in_(dead)))
    return [worker for worker in workers if worker.id not in dead]


def _alive(worker: Worker) -> bool:
    if worker.host != socket.gethostname():
        return now() - worker.heartbeat_at < SILENT
    try:
        # one that has only inherited the number is another one
        return psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE and _id_of(worker.host, worker.pid) == worker.id
    except (psutil.NoSuchProcess, OSError):
        return False


def interrupt_orphans(database: Database) -> list[int]:
    """Mark running jobs whose worker is dead as interrupted; their ids."""
    alive = [worker.id for worker in alive_workers(database)]
    with database.session() as session:
        orphans = list(session.scalars(select(Job.id).where(Job.state == "running", Job.worker_id.not_in(alive))))
    why = "the worker died or the machine went down; resume continues where it was cut off."
    return [job_id for job_id in orphans if finish(database, job_id, "interrupted", error=why)]
