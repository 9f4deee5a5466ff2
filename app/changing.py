"""Whatever a visitor changes passes here: whether they may, and a line in the log for it. Verdicts and tags are their own record."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import streamlit as st

from app import state
from badood.core.errors import BadInput
from badood.jobs import queue
from badood.jobs.beside import ensure_worker
from badood.pipeline.runs import delete_run
from badood.store import jobs, log, open_database
from badood.store.tables import Job


def may_edit() -> bool:
    """Whether the visitor may change anything, or look only: whoever is let in, unless the secrets name editors."""
    if not st.user.get("is_logged_in"):
        return True
    editors = st.secrets.get("roles", {}).get("editors")
    address = str(st.user.get("email") or "").lower()
    return editors is None or any(fnmatchcase(address, str(pattern).lower()) for pattern in editors)


def require_editor() -> None:
    """Ends here for somebody who may look only.

    Raises:
        BadInput: the visitor is no editor.
    """
    if not may_edit():
        raise BadInput(f"{state.who()} may look, not change; whoever runs this dashboard names the editors (docs: Security, Roles).")


@contextmanager
def _changes(what: str, run_id: str | None, **details: Any) -> Iterator[None]:
    require_editor()
    yield
    log.write(open_database(), what, who=state.who(), run_id=run_id, **details)


def hand_in(kind: str, arguments: Mapping[str, Any], run_id: str, **details: Any) -> None:
    """Hand in a job, with a worker there to do it.

    Args:
        kind, arguments, run_id: as `queue.submit` takes them. details: what the log says of it.
    """
    with _changes(kind, run_id, **details):
        ensure_worker()
        queue.submit(kind, arguments, run_id)


def cancel(job: Job) -> None:
    """End a job."""
    with _changes("cancel", job.run_id, job=job.id, kind=job.kind):
        queue.cancel(job.id)


def resume(job: Job) -> None:
    """Hand in a job again that was cut off."""
    with _changes("resume", job.run_id, job=job.id, kind=job.kind):
        queue.resume(job.id)


def forget(job: Job) -> None:
    """Remove a job that is over."""
    with _changes("forget", job.run_id, job=job.id, kind=job.kind):
        jobs.forget(open_database(), job.id)


def delete(run_id: str) -> None:
    """Delete a run."""
    with _changes("delete run", run_id):
        delete_run(run_id)
