import datetime
import os
import socket
import subprocess
import sys

import pytest
from sqlalchemy import update

from badood.core.errors import BadInput
from badood.store import Database, jobs
from badood.store.tables import Worker


def running(database: Database, worker: str = "here:1") -> int:
    job = jobs.create(database, "run", {"preset": "miniworld"}, run_id="a")
    assert jobs.start(database, job.id, worker)
    return job.id


def test_a_job_lives_from_queued_to_done(database: Database) -> None:
    job_id = running(database)
    assert jobs.progress(database, job_id, stage="encode", step=3, total=10, figures={"loss": 0.5}, eta_seconds=7.0)
    assert jobs.finish(database, job_id, "done", result={"kept": 5})
    job = jobs.get(database, job_id)
    assert (job.state, job.stage, job.step, job.total, job.figures) == ("done", "encode", 3, 10, {"loss": 0.5})
    assert job.result == {"kept": 5}
    assert job.arguments == {"preset": "miniworld"}
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at


def test_only_one_worker_gets_a_job(database: Database) -> None:
    job = jobs.create(database, "run", {})
    assert jobs.start(database, job.id, "one")
    assert not jobs.start(database, job.id, "two")
    assert jobs.get(database, job.id).worker_id == "one"


def test_a_queued_job_is_cancelled_at_once_and_never_starts(database: Database) -> None:
    job = jobs.create(database, "run", {})
    jobs.request_cancel(database, job.id)
    assert jobs.get(database, job.id).state == "cancelled"
    assert not jobs.start(database, job.id, "one")


def test_a_running_job_is_asked_to_stop(database: Database) -> None:
    job_id = running(database)
    jobs.request_cancel(database, job_id)
    job = jobs.get(database, job_id)
    assert job.state == "running"
    assert job.cancel_requested


def test_what_is_over_stays_over(database: Database) -> None:
    job_id = running(database)
    jobs.finish(database, job_id, "cancelled")
    assert not jobs.finish(database, job_id, "done")
    assert not jobs.progress(database, job_id, stage="x", step=1, total=1, figures={}, eta_seconds=None)
    assert jobs.get(database, job_id).state == "cancelled"


@pytest.mark.parametrize("state", ["failed", "cancelled", "interrupted"])
def test_what_was_cut_off_can_be_queued_again(database: Database, state: str) -> None:
    job_id = running(database)
    jobs.request_cancel(database, job_id)
    jobs.finish(database, job_id, state, error="why")
    assert jobs.requeue(database, job_id)
    job = jobs.get(database, job_id)
    assert (job.state, job.cancel_requested, job.error) == ("queued", False, None)


def test_a_finished_job_is_not_queued_again(database: Database) -> None:
    job_id = running(database)
    jobs.finish(database, job_id, "done")
    assert not jobs.requeue(database, job_id)


def test_jobs_of_a_dead_worker_are_interrupted(database: Database) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    alive = jobs.register_worker(database)
    with database.session() as session:
        session.add(Worker(id="dead", host=os.uname().nodename, pid=process.pid))
    kept, lost = running(database, alive), running(database, "dead")
    assert jobs.interrupt_orphans(database) == [lost]
    assert jobs.get(database, kept).state == "running"
    job = jobs.get(database, lost)
    assert job.state == "interrupted"
    assert "resume" in (job.error or "")
    assert [worker.id for worker in jobs.alive_workers(database)] == [alive]


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_worker_here_is_alive_whatever_the_clock_says(database: Database, hours: int) -> None:
    alive = jobs.register_worker(database)
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    with database.session() as session:
        session.execute(update(Worker).values(started_at=then, heartbeat_at=then))
        session.add(Worker(id=f"{alive}0", host=socket.gethostname(), pid=os.getpid()))  # it had this number before
    assert [worker.id for worker in jobs.alive_workers(database)] == [alive]


def test_a_worker_elsewhere_is_alive_while_it_speaks(database: Database) -> None:
    with database.session() as session:
        session.add(Worker(id="far", host="far-away", pid=1))
    assert [worker.id for worker in jobs.alive_workers(database)] == ["far"]
    with database.session() as session:
        session.execute(update(Worker).values(heartbeat_at=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)))
    assert jobs.alive_workers(database) == []


def test_jobs_are_listed_newest_first(database: Database) -> None:
    first, second = (jobs.create(database, kind, {}, run_id="a").id for kind in ("run", "retrain"))
    jobs.create(database, "run", {}, run_id="b")
    assert [job.id for job in jobs.listed(database, run_id="a")] == [second, first]
    assert [job.id for job in jobs.listed(database, run_id="a", kinds=["run"])] == [first]


def test_an_unknown_job_is_named(database: Database) -> None:
    with pytest.raises(BadInput, match="no job 404"):
        jobs.get(database, 404)
