"""How jobs of a run are doing, with a button to cancel; looks twice a second while one is open, and not after."""

from collections.abc import Sequence

import streamlit as st

from app import state
from app.changing import cancel, may_edit, resume
from app.components.again import again
from badood.core.progress import duration
from badood.jobs.beside import ensure_worker
from badood.jobs.told import stage, title
from badood.jobs.worker import alive
from badood.store import jobs, open_database
from badood.store.tables import Job, now

_INDICATED = 5


def job_status(run_id: str, kinds: Sequence[str]) -> None:
    """Draw the open jobs of these kinds and the last one that ended badly.

    When a job ends the whole page is drawn anew, so that its result appears.
    """
    watching = bool(open_jobs(run_id, kinds))
    st.fragment(_draw, run_every=0.5 if watching else None)(run_id, tuple(kinds), watching)


def job_indicator() -> None:
    """What is under way in the background, of any run, in a line each; looks again while anything is."""
    st.fragment(_indicator)()


def _indicator() -> None:
    now_open = jobs.listed(open_database(), states=jobs.OPEN, limit=_INDICATED)
    for job in reversed(now_open):
        told = "waits for its turn" if job.state == "queued" else stage(job)
        st.caption(f":material/progress_activity: {title(job)} ({job.run_id}): {told}")
    if now_open:
        again(2.0, key="indicator again")


def open_jobs(run_id: str, kinds: Sequence[str]) -> list[Job]:
    """Those of a run that wait or run."""
    return jobs.listed(open_database(), run_id=run_id, kinds=kinds, states=jobs.OPEN)


def _draw(run_id: str, kinds: tuple[str, ...], watched: bool) -> None:
    listed = jobs.listed(open_database(), run_id=run_id, kinds=kinds, limit=20)
    now_open = [job for job in listed if job.state in jobs.OPEN]
    count = f"open jobs {'/'.join(kinds)}"
    before = state.value(count, len(now_open))
    state.put(count, len(now_open))
    if watched and len(now_open) < before:
        st.rerun()
    if now_open:
        ensure_worker()  # one that was killed is replaced, and says of the job it left behind what happened
    for job in reversed(now_open):
        _open_job(job)
    if listed and listed[0].state in ("failed", "interrupted", "cancelled"):
        _ended_badly(listed[0])


def _open_job(job: Job) -> None:
    text, button = st.columns([6, 1], vertical_alignment="center")
    if job.state == "queued":
        waits = "waits for its turn" if alive() else "waits: no worker is running. Start one with `python -m badood worker`"
        text.progress(0.0, f"{title(job)}: {waits}.")
    else:
        share = (job.step or 0) / job.total if job.total else 0.0
        left = f" (about {duration(job.eta_seconds)} left in it)" if job.eta_seconds else ""
        since = f", {duration((now() - job.started_at).total_seconds())} so far" if job.started_at else ""
        text.progress(min(1.0, share), f"{title(job)}: {stage(job)}{left}{since}. The page stays usable.")
    if button.button("Cancel", key=f"cancel {job.id}", width="stretch", disabled=not may_edit()):
        cancel(job)


def _ended_badly(job: Job) -> None:
    text, button = st.columns([6, 1], vertical_alignment="center")
    why = job.error or ("nothing of it is lost; Resume continues it." if job.state == "cancelled" else "no reason was given")
    text.warning(f"{title(job)} {job.state}: {why}", icon=":material/warning:")
    if button.button("Resume", key=f"resume {job.id}", width="stretch", disabled=not may_edit()):
        resume(job)
        st.rerun()
