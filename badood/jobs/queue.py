"""Handing in work. The record of a job is in the database; the queue only carries its number to a worker."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from huey import Huey, RedisHuey, SqliteHuey
from huey.api import TaskWrapper
from huey.registry import Message
from huey.serializer import Serializer

from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.store import Database, jobs, open_database
from badood.store.tables import Job

_log = logging.getLogger(__name__)


class JsonMessages(Serializer):
    """Messages as JSON. Huey pickles them by default, and whoever can write to the queue could then run code."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(*json.loads(data))


def queue_url() -> str:
    """`BADOOD_QUEUE_URL` (redis://...), else the file `queue.sqlite` in `BADOOD_HOME`."""
    return os.environ.get("BADOOD_QUEUE_URL") or str(home() / "queue.sqlite")


def open_task(perform: Callable[[int], None] | None = None) -> TaskWrapper:
    """The one task `perform(job_id)` on the queue at `queue_url()`; calling it hands in, its `huey` is the queue.

    Args:
        perform: what a worker does with a job; whoever hands in work need not know it.
    """
    return _open(queue_url(), perform or _only_a_worker)


@lru_cache(maxsize=8)
def _open(url: str, perform: Callable[[int], None]) -> TaskWrapper:
    settings: dict[str, Any] = {"results": False, "serializer": JsonMessages()}
    if url.startswith(("redis://", "rediss://")):
        queue: Huey = RedisHuey("badood", url=url, **settings)
    elif "://" in url:
        raise BadInput(f"BADOOD_QUEUE_URL is {url!r}; give redis://HOST:PORT/NUMBER, or unset it for a file in BADOOD_HOME.")
    else:
        home().mkdir(parents=True, exist_ok=True)
        queue = SqliteHuey("badood", filename=url, **settings)

    def carried(job_id: int) -> None:  # of this module in every process: that is a part of the name under which a job is found
        perform(job_id)

    return queue.task(name="perform")(carried)


def _only_a_worker(job_id: int) -> None:
    raise RuntimeError(f"job {job_id} was taken from the queue by a process that is no worker; start one with `python -m badood worker`.")


def submit(kind: str, arguments: Mapping[str, Any], run_id: str | None = None, database: Database | None = None) -> Job:
    """Hand in a job.

    Args:
        kind: a name of `jobs.kinds`. arguments: its arguments, as JSON takes them. run_id: the run it belongs to.
    """
    job = jobs.create(database or open_database(), kind, arguments, run_id)
    _send(job.id)
    return job


def _send(job_id: int) -> None:
    """Put a job on the queue. Where that does not answer the job waits in the database, and a worker sends it when it does: `resend_lost`."""
    task = open_task()
    try:
        task(job_id)
    except Exception as error:  # each kind of queue has errors of its own
        _log.warning("the queue does not answer (%s); job %s waits until it does", error, job_id)


def cancel(job_id: int, database: Database | None = None) -> None:
    """End a job: one that waits at once, one that runs within two seconds."""
    jobs.request_cancel(database or open_database(), job_id)


def resume(job_id: int, database: Database | None = None) -> None:
    """Hand in a job again that was cut off; what it finished is found and not done again.

    Raises:
        BadInput: it is done, or not over.
    """
    store = database or open_database()
    if not jobs.requeue(store, job_id):
        raise BadInput(f"job {job_id} is {jobs.get(store, job_id).state}; only a failed, cancelled or interrupted job can be resumed.")
    _send(job_id)


def resend(database: Database) -> None:
    """Hand in every waiting job again, for queues that were lost; a job that comes twice is done once."""
    for job in reversed(jobs.listed(database, states=["queued"], limit=1000)):
        _send(job.id)


def resend_lost(database: Database) -> None:
    """Hand in the waiting jobs again where the queue is empty: it was away when they came, or has forgotten them."""
    try:
        empty = open_task().huey.pending_count() == 0
    except Exception:  # it is away still; the consumer says so
        return
    if empty:
        resend(database)
