"""A worker: takes jobs from the queue, does each in a child process of its own, and ends it when somebody cancels."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from badood.core.artefacts import home
from badood.jobs.queue import open_task, resend, resend_lost
from badood.store import Database, jobs, open_database, patiently

_LOOK_SECONDS = 0.2
"""Between two looks at the child and at the wish to cancel."""

_GRACE_SECONDS = 1.0
"""A cancelled child may tidy up for so long; then it is killed. Both together stay below the promised two seconds."""

_LEAVE_SECONDS = 10.0
"""A worker that leaves waits so long for its threads to write down how their jobs ended."""

_stopping = threading.Event()


def work(at_once: int = 1) -> None:
    """Do jobs until the process is told to stop: SIGINT finishes what runs, SIGTERM interrupts it.

    Args:
        at_once: jobs done side by side; further ones wait.
    """
    _stopping.clear()
    database = open_database()
    worker_id = jobs.register_worker(database)
    jobs.interrupt_orphans(database)
    resend(database)
    # no periodic tasks; an idle worker looks twice a second
    consumer = open_task(perform).huey.create_consumer(workers=at_once, periodic=False, initial_delay=0.1, max_delay=0.5)
    try:
        with _heartbeat(database, worker_id):
            consumer.run()
    finally:
        _stopping.set()
        for _, thread in consumer.worker_threads:
            thread.join(_LEAVE_SECONDS)
        jobs.leave(database, worker_id)


def alive(database: Database | None = None) -> bool:
    """Whether any worker is there."""
    return bool(jobs.alive_workers(database or open_database()))


@dataclass(frozen=True)
class StartedWorker:
    """A worker process that this process started. It lives on when this process is killed."""

    process: "subprocess.Popen[bytes]"

    def leave_when_done(self) -> None:
        """Tell it to finish what runs, take nothing more, and go; returns at once."""
        self.process.send_signal(signal.SIGINT)


def start_if_none(database: Database | None = None) -> StartedWorker | None:
    """Start a worker in a process of its own if none is alive; None where one is."""
    if alive(database):
        return None
    with (log_folder() / "worker.log").open("ab") as log:
        command = [sys.executable, "-c", "from badood.jobs.worker import work; work()"]
        return StartedWorker(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True))


def log_folder() -> Path:
    """Where workers and jobs write what they say; made if need be."""
    folder = home() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def job_log(job_id: int) -> Path:
    """What a job's process says."""
    return log_folder() / f"job-{job_id}.log"


def perform(job_id: int) -> None:
    """Do one job in a child process; returns when it is over."""
    database = open_database()
    if not patiently(lambda: jobs.start(database, job_id, jobs.own_id())):
        return
    with job_log(job_id).open("ab") as log:
        command = [sys.executable, "-m", "badood.jobs.child", str(job_id), str(os.getpid())]
        # a session, and so a process group, of its own: what the job starts itself ends with it
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    patiently(lambda: jobs.note_process(database, job_id, child.pid))
    state, error = _watch(database, job_id, child)
    # says nothing where the child has said how it ended
    patiently(lambda: jobs.finish(database, job_id, state, error=error))


def _watch(database: Database, job_id: int, child: "subprocess.Popen[bytes]") -> tuple[str, str | None]:
    """Wait for the child's end; the state and the error that it means."""
    while True:
        try:
            code = child.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if _stopping.is_set():
                _end(child)
                return "interrupted", "the worker was stopped; resume continues where it was cut off."
            if _cancelled(database, job_id):
                _end(child)
                return "cancelled", None
        else:
            return "failed", f"the process ended with code {code}; its last words are in {job_log(job_id)}."


def _cancelled(database: Database, job_id: int) -> bool:
    """Whether somebody wants the job to end; unknown, so not, while the database does not answer."""
    try:
        return jobs.get(database, job_id).cancel_requested
    except SQLAlchemyError as error:
        print(f"job {job_id}: {error}", file=sys.stderr)
        return False


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask the child to stop, as Ctrl-C does; kill its whole group where it does not."""
    _signal_group(child.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:  # the group is gone already, which is what was wanted
        return


@contextmanager
def _heartbeat(database: Database, worker_id: str) -> Iterator[None]:
    """Say every second that this worker is there, and look for jobs that others left behind, or that a queue lost."""
    over = threading.Event()

    def beat() -> None:
        judges_from = 0.0
        while not over.wait(1.0):
            try:
                jobs.beat(database, worker_id)
                if time.monotonic() >= judges_from:
                    jobs.interrupt_orphans(database)
                resend_lost(database)
            except SQLAlchemyError as error:  # a database that restarts must not end a training
                print(f"heartbeat: {error}", file=sys.stderr)
                # others on other machines could not speak either: they get the time to, before they count as dead
                judges_from = time.monotonic() + jobs.SILENT.total_seconds()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
