"""The paper's tables and figures: those that were made, and the form that makes one."""

import pandas as pd
import streamlit as st

from app import state
from app.asking import asked, outcome
from app.changing import hand_in, may_edit
from app.components.again import again
from app.parts.job_status import job_status, open_jobs
from badood.benchmark.shelf import pages, picture
from badood.config import preset_names
from badood.store import jobs, open_database

TABLES = "table or figure"


def page() -> None:
    st.title("Benchmark")
    st.caption("The paper's tables and figures, made on a preset with several detectors each, beside the paper's own figures.")
    found = pages()
    with st.expander("Make a table or figure", icon=":material/add:", expanded=not found):
        st.fragment(_form)()
    for preset in preset_names():
        if jobs.listed(open_database(), run_id=_run_of(preset), kinds=["benchmark"], limit=1):
            job_status(_run_of(preset), ["benchmark"])
    if not found:
        st.info("No table has been made yet. Make one above, or with `python -m badood benchmark table2`.", icon=":material/info:")
        return
    chosen = st.selectbox("Page", sorted(found), key="benchmark page")
    _show(chosen)


def _run_of(preset: str) -> str:
    """The run in whose folder a preset's benchmarks keep what they make."""
    return f"benchmark-{preset}"


def _form() -> None:
    names = preset_names()
    left, middle, right = st.columns([2, 1, 3])
    preset = left.selectbox("Preset", names, names.index("miniworld"), key="benchmark preset")
    seeds = middle.number_input("Seeds", 1, 100, 3, key="benchmark seeds", help="Detectors of each row; with one there is no interval.")
    data = right.text_input("Folder of the ID data", key="benchmark data", placeholder="not needed for miniworld").strip() or None
    answer = asked("benchmarks", state.visitor(), preset=preset, data=data)
    if not answer.done():
        st.caption(":material/hourglass_top: Looking what works here.")
        again(0.3, key="benchmarks again")
        return
    entries, problem = outcome(answer)
    if problem:
        st.error(problem, icon=":material/error:")
        return
    tables = {entry["name"]: entry for entry in entries if entry["kind"] == TABLES}
    name = st.selectbox("Table or figure", list(tables), format_func=lambda each: f"{each}: {tables[each]['what']}", key="benchmark name")
    needs = tables[name]["needs"]
    if needs:
        st.caption(f":material/info: {tables[name]['state']}")
    if st.button("Make it", type="primary", icon=":material/play_arrow:", key="make benchmark", disabled=bool(needs) or not may_edit()):
        _submit(name, preset, int(seeds), data)
    with st.popover("What works here"):
        st.dataframe(pd.DataFrame(entries)[["kind", "name", "state", "what"]], hide_index=True, key="benchmark states")


def _submit(name: str, preset: str, seeds: int, data: str | None) -> None:
    if any(job.arguments["name"] == name for job in open_jobs(_run_of(preset), ["benchmark"])):
        st.info(f"{name} of {preset} is under way already.", icon=":material/info:")
        return
    hand_in("benchmark", {"name": name, "preset": preset, "seeds": seeds, "data": data}, _run_of(preset), name=name, seeds=seeds)
    st.rerun()


def _show(name: str) -> None:
    path = pages()[name]
    text = path.read_text()
    st.markdown("\n".join(line for line in text.splitlines() if not line.startswith("![")))
    drawn = picture(path)
    if drawn is not None:
        st.image(str(drawn))
    csv, markdown = st.columns(2)
    csv.download_button("CSV", path.with_suffix(".csv").read_bytes(), f"{name}.csv", "text/csv", key="benchmark csv")
    markdown.download_button("Markdown", text, f"{name}.md", "text/markdown", key="benchmark markdown")
