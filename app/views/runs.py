"""All runs: how they are doing, what they found, and the form that starts one."""

import datetime

import streamlit as st

from app import state
from app.opened import opened, runs
from app.parts.job_status import job_status
from app.parts.start_form import start_form
from app.workers import ensure_worker
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.jobs import queue
from badood.pipeline.runs import Run, delete_run
from badood.store import jobs, open_database
from badood.store.tables import Job

_SHOWN = 30
_BADGES = {"done": "green", "running": "blue", "queued": "blue", "failed": "red", "interrupted": "orange", "cancelled": "gray"}


def page() -> None:
    st.title("Runs")
    st.caption("A run makes outliers from your images, finds the harmful ones, and trains a detector without them.")
    found = runs()
    newest = _newest_jobs()
    waiting = [job for run_id, job in newest.items() if run_id not in {run.id for run in found}]
    with st.expander("Start a run", icon=":material/add:", expanded=not found and not waiting):
        start_form()
    if not found and not waiting:
        st.info("There is no run yet. The settings above are fine for a first one: press **Start the run**.", icon=":material/info:")
    for job in waiting:
        with st.container(border=True, key=f"waiting {job.run_id}"):
            _head(str(job.run_id), job.arguments.get("config", {}).get("preset", ""), job.created_at, job.state)
            job_status(str(job.run_id), ["run"])
            if job.state == "cancelled":
                _resume(job)
    for run in found[:_SHOWN]:
        with st.container(border=True, key=f"run {run.id}"):
            _card(run, newest.get(run.id))
    if len(found) > _SHOWN:
        st.caption(f"The newest {_SHOWN} of {len(found)} runs are shown; `python -m badood runs list` shows all.")


def _newest_jobs() -> dict[str, Job]:
    """The newest whole-run job of every run."""
    newest: dict[str, Job] = {}
    for job in jobs.listed(open_database(), kinds=["run"], limit=200):
        newest.setdefault(str(job.run_id), job)
    return newest


def _head(name: str, facts: str, at: datetime.datetime, shown: str) -> None:
    st.markdown(f"**{name}** :{_BADGES.get(shown, 'gray')}-badge[{shown}]  \n:small[{facts}]  \n:small[{at.astimezone():%d %b %Y, %H:%M}]")


def _card(run: Run, job: Job | None) -> None:
    try:
        record = run.record
    except BadInput:  # deleted in another window since the runs were listed
        return
    is_open = job is not None and job.state in jobs.OPEN
    shown = job.state if job is not None and (is_open or record["state"] != "done") else record["state"]
    about, figures, actions = st.columns([3, 4, 1.7], vertical_alignment="center", gap="medium")
    source = run.cfg.data.train
    with about:
        data = f"{source.dataset} in {source.path}" if source.path else source.dataset
        _head(run.id, f"preset {run.cfg.preset} · data {data}", datetime.datetime.fromisoformat(record["created"]), shown)
        if record["totals"]:
            st.caption(f"{record['totals']['wall_seconds']:,.0f} s, {record['totals']['peak_rss_mb']:,.0f} MB at most")
    with figures:
        _figures(run)
    with actions:
        _actions(run, job, is_open=is_open, ready="outliers" in record, shown=shown)
    if record.get("advice"):
        st.warning(record["advice"], icon=":material/lightbulb:")
    if left_out := record.get("skipped"):
        with st.expander(f"Images that could not be read and were left out: {len(left_out):,}"):
            st.dataframe(left_out, hide_index=True)
    if record["state"] != "done":
        st.fragment(_stages, run_every=1.0 if record["state"] == "running" else None)(run)
    if is_open or (job is not None and record["state"] != "done"):
        job_status(run.id, ["run"])
    elif record["state"] == "failed":
        st.warning(f"The run failed: {record.get('error') or 'no reason was given'}", icon=":material/warning:")
    elif record["state"] in ("running", "interrupted"):
        st.caption("Started in a terminal. It is running there, or was cut off: the same command continues it.")


def _stages(run: Run) -> None:
    """The stages that are done; looks again while a job runs."""
    try:
        done = [f":green[:material/check:] {name} {entry['wall_seconds']:,.0f} s" for name, entry in run.record["stages"].items()]
    except BadInput:  # deleted in another window
        return
    st.caption(" · ".join(done) or "No stage is done yet.")


def _figures(run: Run) -> None:
    try:
        found = opened(run.id)
    except BadInput:  # deleted in another window
        return
    table = Finished(run).filters()
    if "outliers" not in run.record:
        st.caption("No outliers yet.")
        return
    count, fpr, auroc = st.columns(3)
    count.metric("Outliers", f"{len(found.outliers):,}")
    if table.empty:
        return
    best, first = table.loc[table["fpr95"].idxmin()], table[table["filter"] == "all"]
    name = best["filter"]
    for place, metric, label, good in ((fpr, "fpr95", "FPR95", "inverse"), (auroc, "auroc", "AUROC", "normal")):
        change = f"{100 * (best[metric] - first[metric].iloc[0]):+.1f} points" if len(first) and name != "all" else None
        text = f"Of the best filter, {name}; mean over the OOD sets. Below: the difference to keeping all outliers, in percentage points."
        place.metric(f"{label}, {name}", f"{100 * best[metric]:.1f} %", change, delta_color=good, help=text)


def _actions(run: Run, job: Job | None, *, is_open: bool, ready: bool, shown: str) -> None:
    if ready and st.button("Open", key=f"open {run.id}", type="primary", icon=":material/grid_view:", width="stretch"):
        state.pick_run(run.id)
        st.switch_page(state.value("grid_page"))
    if shown == "cancelled" and job is not None:
        _resume(job)
    if not is_open and st.button("Delete", key=f"delete {run.id}", icon=":material/delete:", width="stretch"):
        st.dialog("Delete the run?")(_confirm)(run)


def _resume(job: Job) -> None:
    if st.button("Resume", key=f"resume run {job.run_id}", icon=":material/play_arrow:", width="stretch"):
        ensure_worker()
        queue.resume(job.id)
        st.rerun()


def _confirm(run: Run) -> None:
    st.write(f"**{run.id}** with its outliers, detectors and tables is removed from {run.folder}. This cannot be undone.")
    no, yes = st.columns(2)
    if no.button("Keep it", key="keep run", width="stretch"):
        st.rerun()
    if yes.button("Delete", key="delete run", type="primary", icon=":material/delete:", width="stretch", on_click=_delete, args=(run,)):
        st.rerun()


def _delete(run: Run) -> None:
    delete_run(run.id)
    state.forget("run", "run choice")
