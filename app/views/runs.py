"""All runs: how they are doing, what they found, and the form that starts one."""

import datetime

import streamlit as st

from app import state
from app.changing import delete, forget, may_edit, require_editor
from app.opened import is_ready, runs
from app.parts.header import offer_example
from app.parts.job_status import job_status
from app.parts.start_form import start_form
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.pipeline.runs import Run
from badood.store import jobs, log, open_database
from badood.store.tables import Job

_SHOWN = 30
_LOGGED = 200
_BADGES = {"done": "green", "running": "blue", "queued": "blue", "failed": "red", "interrupted": "orange", "cancelled": "gray"}


def page() -> None:
    st.title("Runs")
    st.caption(
        "A run makes outliers from your images, or takes those of other generators, finds the harmful ones, and trains a detector without them."
    )
    found = runs()
    newest = _newest_jobs()
    waiting = [job for run_id, job in newest.items() if run_id not in {run.id for run in found}]
    if may_edit():
        with st.expander("Start a run", icon=":material/add:", expanded=not found and not waiting):
            start_form()
    if not found and not waiting:
        st.info("There is no run yet. The settings above are fine for a first one: press **Start the run**.", icon=":material/info:")
        offer_example()
    for job in waiting:
        with st.container(border=True, key=f"waiting {job.run_id}"):
            _head(str(job.run_id), job.arguments.get("config", {}).get("preset", ""), job.created_at, job.state)
            job_status(str(job.run_id), ["run"])
            if job.state in jobs.OVER:  # nothing of it is in the store but the wish
                st.button("Delete", key=f"forget {job.id}", icon=":material/delete:", on_click=forget, args=(job,), disabled=not may_edit())
    for run in found[:_SHOWN]:
        with st.container(border=True, key=f"run {run.id}"):
            try:
                _card(run, newest.get(run.id))
            except BadInput:  # deleted in another window since the runs were listed
                st.caption(f"Run {run.id} cannot be read any more.")
    if len(found) > _SHOWN:
        st.caption(f"The newest {_SHOWN} of {len(found)} runs are shown; `python -m badood runs list` shows all.")
    with st.expander("Who did what", icon=":material/history:", key="log", on_change="rerun") as shown:
        if shown.open:
            _log()


def _log() -> None:
    """The newest changes and verdicts of all runs."""
    st.caption(f"The newest {_LOGGED} changes and verdicts; `python -m badood log` shows more.")
    told = log.read(open_database(), limit=_LOGGED).rename(columns={"run_id": "run"})
    st.dataframe(told, hide_index=True, column_config={"at": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")}, key="changes")


def _newest_jobs() -> dict[str, Job]:
    """The newest whole-run job of every run."""
    newest: dict[str, Job] = {}
    for job in jobs.listed(open_database(), kinds=["run"], limit=200):
        newest.setdefault(str(job.run_id), job)
    return newest


def _head(name: str, facts: str, at: datetime.datetime, shown: str) -> None:
    st.markdown(f"**{name}** :{_BADGES.get(shown, 'gray')}-badge[{shown}]  \n:small[{facts}]  \n:small[{at.astimezone():%d %b %Y, %H:%M}]")


def _card(run: Run, job: Job | None) -> None:
    record = run.record
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
        _actions(run, job, is_open=is_open, ready=is_ready(run), shown=shown)
    _notices(run)
    _remark(run)
    if record["state"] != "done":
        st.fragment(_stages, run_every=1.0 if record["state"] == "running" else None)(run)
    if is_open or (job is not None and record["state"] != "done"):
        job_status(run.id, ["run"])
    elif record["state"] == "failed":
        st.warning(f"The run failed: {record.get('error') or 'no reason was given'}", icon=":material/warning:")
    elif record["state"] in ("running", "interrupted"):
        st.caption("Started in a terminal. It is running there, or was cut off: the same command continues it.")


def _notices(run: Run) -> None:
    """What the run has to say, and what it left out, counted by kind."""
    found = Finished(run)
    if advice := run.record.get("advice"):
        st.warning(advice, icon=":material/lightbulb:")
    best = found.chosen
    if best is not None and best.warning:
        st.caption(f":material/warning: {best.name}: {best.warning}")
    for row in run.rows.values():
        if row.empty or row.uncalibrated:
            st.caption(f":material/info: {row.name}: {row.empty or row.uncalibrated}")
    left_out = found.left_out
    if len(left_out):
        with st.expander(f"Images and files that were left out: {left_out['count'].sum():,}"):
            names = {"set": "of", "kind": "why", "reason": "the first, in full", "path": "the first"}
            count = st.column_config.NumberColumn("how many", format="localized")
            st.dataframe(left_out, hide_index=True, column_config=names | {"count": count}, key=f"left out {run.id}")


def _remark(run: Run) -> None:
    """What a person wants to remember of the run."""
    key, before = f"remark {run.id}", str(run.record.get("remark") or "")

    def write() -> None:
        require_editor()
        run.note(remark=str(state.value(key)).strip())

    with st.expander("Note" if not before else f"Note: {before[:80]}", icon=":material/edit_note:", type="compact"):
        st.text_area("Note", before, key=key, max_chars=2000, label_visibility="collapsed", on_change=write, disabled=not may_edit())


def _stages(run: Run) -> None:
    """The stages that are done; looks again while a job runs."""
    try:
        done = [f":green[:material/check:] {name} {entry['wall_seconds']:,.0f} s" for name, entry in run.record["stages"].items()]
    except BadInput:  # deleted in another window
        return
    st.caption(" · ".join(done) or "No stage is done yet.")


def _figures(run: Run) -> None:
    if not is_ready(run):
        st.caption("No outliers yet.")
        return
    found = Finished(run)
    count, fpr, auroc = st.columns(3)
    told = st.empty()
    text = ", ".join(f"{number:,} of {name}" for name, number in found.counts.items())
    count.metric("Outliers", f"{sum(found.counts.values()):,}", help=text)
    if not found.scored:
        told.caption("No detector has looked at them yet; the outliers themselves can be looked at.")
        return
    best, first = found.chosen, run.rows.get("all")
    if best is None:
        if any(not row.empty for row in run.rows.values()):
            told.caption("No detector could be calibrated, so none is chosen.")
        return
    for place, metric, label in ((fpr, "fpr95", "FPR95"), (auroc, "auroc", "AUROC")):
        value = getattr(best, metric)
        differs = first is not None and not first.empty and best.name != "all"
        change = f"{100 * (value - getattr(first, metric)):+.1f} points" if differs else None
        text = f"Of {best.name}, the filter chosen on validation images; on test images, mean over the OOD sets. "
        text += "Below: the difference to keeping all outliers, in percentage points."
        place.metric(f"{label}, {best.name}", f"{100 * value:.1f} %", change, delta_color="off", help=text)
    chances = len([row for row in run.rows.values() if not row.empty])
    told.caption(
        f"{best.name}: chosen on validation images among {chances} filters. The figures are of test images, of one training each: no interval, so a few points may be chance."
    )


def _actions(run: Run, job: Job | None, *, is_open: bool, ready: bool, shown: str) -> None:
    if ready and st.button("Open", key=f"open {run.id}", type="primary", icon=":material/grid_view:", width="stretch"):
        state.pick_run(run.id)
        st.switch_page(state.value("grid_page"))
    if not is_open and may_edit() and st.button("Delete", key=f"delete {run.id}", icon=":material/delete:", width="stretch"):
        st.dialog("Delete the run?")(_confirm)(run)


def _confirm(run: Run) -> None:
    st.write(f"**{run.id}** with its outliers, detectors and tables is removed from {run.folder}. This cannot be undone.")
    no, yes = st.columns(2)
    if no.button("Keep it", key="keep run", width="stretch"):
        st.rerun()
    if yes.button("Delete", key="delete run", type="primary", icon=":material/delete:", width="stretch", on_click=_delete, args=(run,)):
        st.rerun()


def _delete(run: Run) -> None:
    delete(run.id)
    state.forget_run()
