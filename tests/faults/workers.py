"""Faults put into workers, their jobs, the database and the queue."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from badood.core.errors import BadInput
from badood.jobs import queue
from badood.jobs.companion import Companion, CompanionDied
from badood.store import Database, jobs, open_database, patiently, verdicts
from tests.faults.chaos import World, fault
from tests.tools.browsing import free_port
from tests.tools.kinds import COUNT, import_path

_PROGRAMS = Path("/usr/lib/postgresql")
"""Debian's PostgreSQL, one folder a version."""

_SECONDS = 240
"""A job that is not over by then hangs."""


class Store:
    """A store with workers, as processes of their own.

    Attributes:
        home: its folder.
    """

    def __init__(self, home: Path, **servers: str) -> None:
        self.home, self.workers = home, list[subprocess.Popen[bytes]]()
        found = import_path(home.parent / "plugins", COUNT, "count")
        self.environment = {"BADOOD_HOME": str(home), "PYTHONPATH": found, **servers}

    def start(self) -> "subprocess.Popen[bytes]":
        """A worker."""
        with (self.home / "worker.log").open("ab") as log:
            command = [sys.executable, "-c", "from badood.jobs.worker import work; work()"]
            process = subprocess.Popen(command, env=os.environ | self.environment, stdout=log, stderr=log, start_new_session=True)
        self.workers.append(process)
        return process

    def submit(self, name: str, steps: int, seconds: float) -> int:
        """A job that writes lines into a file of this name."""
        return queue.submit("count", {"file": str(self.home / name), "steps": steps, "seconds": seconds}).id

    def lines(self, name: str) -> int:
        """How many it has written."""
        file = self.home / name
        return len(file.read_text().splitlines()) if file.exists() else 0

    def stop(self) -> list[str]:
        """End the workers; what they left."""
        for process in self.workers:
            if process.poll() is None:
                process.terminate()
        for process in self.workers:
            process.wait(30)
        left = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._is_ours(entry)]
        return [f"process {pid} is left" for pid in left]

    def _is_ours(self, entry: Path) -> bool:
        with suppress(OSError):
            return f"BADOOD_HOME={self.home}\0".encode() in (entry / "environ").read_bytes() and int(entry.name) != os.getpid()
        return False


@contextmanager
def opened(world: World, **servers: str) -> Iterator[tuple[Store, Database]]:
    """An empty store of its own, which this process looks at meanwhile."""
    before = dict(os.environ)
    place = Path(tempfile.mkdtemp(dir=world.top))
    (place / "store").mkdir()
    store = Store(place / "store", **servers)
    os.environ |= {key: value for key, value in store.environment.items() if key.startswith("BADOOD")}
    database = open_database()
    try:
        yield store, database
    finally:
        store.stop()
        database.engine.dispose()
        os.environ.clear()
        os.environ |= before


def until(condition: Callable[[], bool], seconds: float = _SECONDS) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def done(store: Store, database: Database, wanted: Mapping[int, tuple[str, int]]) -> list[str]:
    """Wait for jobs and resume those that were cut off; what is wrong then.

    Args:
        wanted: by number of the job, its file and how many lines it has to have.
    """
    cut = ("failed", "interrupted")

    def over() -> bool:
        for number in wanted:
            if patiently(lambda number=number: jobs.get(database, number)).state in cut:
                queue.resume(number, database)
        return all(jobs.get(database, number).state == "done" for number in wanted)

    found = [] if until(over) else ["a job hangs"]
    for number, (name, lines) in wanted.items():
        if store.lines(name) != lines:
            found.append(f"job {number} did {store.lines(name)} steps of {lines}: {jobs.get(database, number).state}")
    return found + store.stop()


@fault("worker killed beside another", 2)
def worker_killed(world: World) -> list[str]:
    """Two workers race for jobs; one of them is killed in the middle."""
    with opened(world) as (store, database):
        first = store.start()
        store.start()
        wanted = {store.submit(f"file {number}", 5, 0.1): (f"file {number}", 5) for number in range(4)}
        until(lambda: store.lines(f"file {world.rng.randrange(3)}") >= world.rng.randrange(1, 5))
        first.kill()
        return done(store, database, wanted)


@fault("job's process killed", 1)
def job_killed(world: World) -> list[str]:
    """The process of a job is killed; verdicts given meanwhile stand."""
    with opened(world) as (store, database):
        store.start()
        job = store.submit("file", 20, 0.1)
        until(lambda: store.lines("file") >= world.rng.randrange(1, 10))
        verdicts.give(database, "r", range(50), "reject", who="local")
        pid = jobs.get(database, job).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: jobs.get(database, job).state == "failed")
        said = jobs.get(database, job).error or ""
        told = [] if "code -9" in said else [f"it told {said}"]
        lost = [] if len(verdicts.current(database, "r")) == 50 else ["verdicts are lost"]
        return told + lost + done(store, database, {job: ("file", 20)})


@fault("database locked", 1)
def database_locked(world: World) -> list[str]:
    """Another program holds the database for longer than SQLite waits, while a job runs and ends."""
    with opened(world) as (store, database):
        store.start()
        job = store.submit("file", 30, 0.1)
        until(lambda: store.lines("file") >= 1)
        holder = sqlite3.connect(store.home / "badood.sqlite", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        time.sleep(world.rng.uniform(17, 20))
        holder.execute("ROLLBACK")
        holder.close()
        return done(store, database, {job: ("file", 30)})


@fault("companion killed", 1)
def companion_killed(world: World) -> list[str]:
    """The companion is killed while it answers; the next question is answered."""
    with opened(world):
        companion = Companion()
        try:
            companion.ask("ping")
            process = companion._started()
            os.kill(process._process.pid, signal.SIGKILL)
            with suppress(CompanionDied):
                companion.ask("scorers")
            return [] if companion.ask("ping") == "here" else ["it does not answer"]
        except BadInput as error:
            return [f"it told {error}"]
        finally:
            companion.close()


@contextmanager
def servers() -> Iterator[tuple[dict[str, str], Callable[[], None], Callable[[], None]]]:
    """PostgreSQL and Redis on loopback: where, how they go away, and how they come back."""
    versions = sorted(_PROGRAMS.glob("*/bin"))
    place, ports = Path(tempfile.mkdtemp(prefix="badood-servers")), (free_port(), free_port())
    shutil.chown(place, "postgres")
    control = ["runuser", "-u", "postgres", "--", str(versions[-1] / "pg_ctl"), "-w", "-D", str(place / "data")]
    listening = f"-p {ports[0]} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True, "cwd": place}
    cached: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        subprocess.run([*control, "-o", listening, "-l", str(place / "log"), "start"], **quiet)  # type: ignore[call-overload]
        command = ["redis-server", "--port", str(ports[1]), "--bind", "127.0.0.1", "--dir", str(place), "--save", ""]
        cached.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        until(lambda: _listens(ports[1]), 30)

    def stop() -> None:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        cached[-1].kill()
        cached[-1].wait()

    subprocess.run([*control, "-o", "--auth=trust --username=postgres", "initdb"], **quiet)  # type: ignore[call-overload]
    start()
    try:
        urls = {
            "BADOOD_DATABASE_URL": f"postgresql+psycopg://postgres@127.0.0.1:{ports[0]}/postgres",
            "BADOOD_QUEUE_URL": f"redis://127.0.0.1:{ports[1]}/0",
        }
        yield urls, stop, start
    finally:
        with suppress(subprocess.CalledProcessError):
            stop()
        shutil.rmtree(place)


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def has_servers() -> bool:
    """Whether PostgreSQL, Redis, their clients and leave to start them are there."""
    try:
        import psycopg
        import redis
    except ImportError:
        return False
    return (
        bool(psycopg and redis) and os.geteuid() == 0 and any(_PROGRAMS.glob("*/bin/pg_ctl")) and shutil.which("redis-server") is not None
    )


@fault("database and queue away for 30 s", 1)
def servers_away(world: World) -> list[str]:
    """PostgreSQL and Redis are killed while one job runs, ends, and others wait; Redis forgets what waited."""
    with servers() as (urls, stop, start), opened(world, **urls) as (store, database):
        store.start()
        wanted = {store.submit(f"file {number}", 20, 0.2): (f"file {number}", 20) for number in range(2)}
        until(lambda: store.lines("file 0") >= world.rng.randrange(1, 10))
        verdicts.give(database, "r", range(50), "keep", who="local")
        stop()
        time.sleep(30)
        start()
        wrong = done(store, database, wanted)
        return wrong + ([] if len(patiently(lambda: verdicts.current(database, "r"))) == 50 else ["verdicts are lost"])
