"""A worker in a process of its own, with tiny job kinds that come from another package's entry point.

On files of the store, and on PostgreSQL and Redis where `BADOOD_TEST_DATABASE_URL` and `BADOOD_TEST_QUEUE_URL` name them.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.jobs import queue
from badood.jobs.worker import alive
from badood.store import Database, jobs, open_database
from badood.store.tables import Job
from tests.tools.kinds import COUNT, import_path

pytestmark = pytest.mark.usefixtures("worker")

KINDS = (
    COUNT
    + '''
import subprocess, sys
from badood.core.artefacts import home
from badood.core.errors import BadInput

def stubborn(arguments, progress):
    """Ignores Ctrl-C and has a child."""
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(arguments["file"], "w").write(f"{os.getpid()} {helper.pid}")
    progress.update("stubborn", 1, 2)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass

def refuse(arguments, progress):
    raise BadInput("band 0.9..1.0 keeps nothing")

def crash(arguments, progress):
    os.abort()

def patient(arguments, progress):
    group = "/proc/self/autogroup"
    return {"nice": os.nice(0), "group": open(group).read() if os.path.exists(group) else None}
'''
)


@pytest.fixture(params=["files", "servers"])
def servers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where database and queue lie."""
    if request.param == "files":
        yield
        return
    monkeypatch.setenv("BADOOD_DATABASE_URL", request.getfixturevalue("postgresql_url"))
    monkeypatch.setenv("BADOOD_QUEUE_URL", request.getfixturevalue("redis_url"))
    queue.open_task().huey.flush()
    yield
    open_database().engine.dispose()


@pytest.fixture
def kinds(servers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinds count, stubborn, refuse and crash, for this process's children."""
    names = ("count", "stubborn", "refuse", "crash", "patient")
    monkeypatch.setenv("PYTHONPATH", import_path(tmp_path / "plugins", KINDS, *names))


@pytest.fixture
def database() -> Database:
    """The store of this test."""
    return open_database()


def start_worker() -> "subprocess.Popen[bytes]":
    """A worker process on the store of this test."""
    return subprocess.Popen([sys.executable, "-c", "from badood.jobs.worker import work; work()"], start_new_session=True)


@pytest.fixture
def worker(kinds: None) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that is ended after the test."""
    process = start_worker()
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> float:
    """Seconds until the condition held; fails after `seconds`."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - start


def ended(database: Database, job_id: int) -> Job:
    """The job when it is over."""
    until(lambda: jobs.get(database, job_id).state in jobs.OVER)
    return jobs.get(database, job_id)


def count(file: Path, steps: int = 3, seconds: float = 0.01) -> int:
    return queue.submit("count", {"file": str(file), "steps": steps, "seconds": seconds}, run_id="r").id


def test_a_job_is_done_in_another_process_and_reports(database: Database, tmp_path: Path, worker: subprocess.Popen) -> None:
    job = ended(database, count(tmp_path / "lines"))
    assert (job.state, job.result) == ("done", {"steps": 3})
    assert (job.stage, job.step, job.total) == ("count", 3, 3)
    assert job.figures["loss"] == pytest.approx(1 / 3)
    pids = set((tmp_path / "lines").read_text().split())
    assert len(pids) == 1
    assert pids.isdisjoint({str(worker.pid)})


def test_time_left_is_told_while_it_runs(database: Database, tmp_path: Path) -> None:
    job_id = count(tmp_path / "lines", steps=200, seconds=0.05)
    until(lambda: (jobs.get(database, job_id).eta_seconds or 0) > 0)
    assert jobs.get(database, job_id).eta_seconds == pytest.approx(10, rel=0.9)
    queue.cancel(job_id)
    assert ended(database, job_id).state == "cancelled"


def test_two_jobs_queue_up(database: Database, tmp_path: Path) -> None:
    first, second = count(tmp_path / "a", steps=10, seconds=0.05), count(tmp_path / "b")
    jobs_done = [ended(database, job) for job in (first, second)]
    assert [job.state for job in jobs_done] == ["done", "done"]
    assert jobs_done[0].finished_at <= jobs_done[1].started_at


def test_cancel_ends_even_a_stubborn_job_and_its_children_within_two_seconds(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    job_id = queue.submit("stubborn", {"file": str(file)}).id
    until(lambda: jobs.get(database, job_id).step == 1)
    pids = [int(pid) for pid in file.read_text().split()]
    assert all(psutil.pid_exists(pid) for pid in pids)
    queue.cancel(job_id)
    seconds = until(lambda: jobs.get(database, job_id).state == "cancelled")
    assert seconds <= 2.0
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def test_an_error_of_ours_is_told_as_it_is(database: Database) -> None:
    job = ended(database, queue.submit("refuse", {}).id)
    assert (job.state, job.error) == ("failed", "band 0.9..1.0 keeps nothing")


def test_a_job_steps_back_behind_the_dashboard(database: Database) -> None:
    result = ended(database, queue.submit("patient", {}).id).result
    assert result is not None
    assert result["nice"] == 10
    # a session of its own would else get a full share of the processor, whatever its niceness
    assert result["group"] is None or result["group"].endswith("nice 10\n")


def test_a_crash_of_the_process_is_told_with_its_log(database: Database) -> None:
    job = ended(database, queue.submit("crash", {}).id)
    assert job.state == "failed"
    assert "code -6" in (job.error or "")
    assert f"job-{job.id}.log" in (job.error or "")


def test_an_unknown_kind_lists_the_known_ones(database: Database) -> None:
    job = ended(database, queue.submit("cuont", {}).id)
    assert "count" in (job.error or "")


def test_a_killed_worker_leaves_an_interrupted_job_that_resumes_where_it_was(
    database: Database, tmp_path: Path, worker: subprocess.Popen
) -> None:
    file = tmp_path / "lines"
    job_id = count(file, steps=40, seconds=0.1)
    until(lambda: (jobs.get(database, job_id).step or 0) >= 5)
    child = jobs.get(database, job_id).pid
    worker.kill()
    worker.wait()
    until(lambda: not psutil.pid_exists(child), 5)  # the child does not go on alone
    before = len(file.read_text().split())
    assert not alive(database)
    second = start_worker()
    try:
        until(lambda: jobs.get(database, job_id).state == "interrupted")
        queue.resume(job_id)
        assert ended(database, job_id).state == "done"
        pids = file.read_text().split()
        assert len(pids) == 40
        assert len(set(pids[:before])) == 1
        assert set(pids[:before]).isdisjoint(pids[before:])
    finally:
        second.terminate()
        second.wait()


def test_a_stopped_worker_marks_its_job_interrupted(database: Database, tmp_path: Path, worker: subprocess.Popen) -> None:
    job_id = count(tmp_path / "lines", steps=400, seconds=0.1)
    until(lambda: (jobs.get(database, job_id).step or 0) >= 1)
    worker.send_signal(signal.SIGTERM)
    worker.wait(10)
    assert jobs.get(database, job_id).state == "interrupted"
    assert not alive(database)


def test_a_job_handed_in_without_a_worker_and_a_queue_waits(database: Database, tmp_path: Path, worker: subprocess.Popen) -> None:
    until(lambda: alive(database))
    worker.terminate()
    worker.wait()
    job_id = count(tmp_path / "lines")
    queue.open_task().huey.flush()
    for part in home().glob("queue.sqlite*"):
        part.unlink()
    second = start_worker()
    try:
        assert ended(database, job_id).state == "done"
    finally:
        second.terminate()
        second.wait()


def test_a_job_that_the_queue_did_not_take_is_done_when_it_answers(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: subprocess.Popen
) -> None:
    def away(self: object, task: object) -> None:
        raise ConnectionError("nobody listens")

    with monkeypatch.context() as patch:
        patch.setattr(type(queue.open_task().huey), "enqueue", away)
        job_id = count(tmp_path / "lines")
    assert ended(database, job_id).state == "done"


def test_a_finished_job_cannot_be_resumed(database: Database, tmp_path: Path) -> None:
    job = ended(database, count(tmp_path / "lines"))
    with pytest.raises(BadInput, match=f"job {job.id} is done"):
        queue.resume(job.id)


def test_a_cancelled_job_that_waits_never_starts(database: Database, tmp_path: Path) -> None:
    first, second = count(tmp_path / "a", steps=20, seconds=0.05), count(tmp_path / "b")
    queue.cancel(second)
    ended(database, first)
    time.sleep(0.5)  # the worker has seen the second message by then
    assert jobs.get(database, second).state == "cancelled"
    assert not (tmp_path / "b").exists()
