"""The head of a page: its title, what it is for, and the run it shows."""

from typing import NoReturn

import streamlit as st

from app import state
from app.changing import require_editor
from app.opened import is_ready
from app.parts.run_picker import choose_another, ready_runs
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.pipeline.example import open_example
from badood.pipeline.runs import Run

_LONGEST = 40
"""Letters of a name that a link gives."""


def page_head(title: str, purpose: str, *, early: bool = False) -> Finished:
    """Draw the head; the page ends here, with a way on, where there is no run to show, or not enough of it.

    Args:
        title: of the page. purpose: one sentence of plain English. early: whether it shows outliers that no detector has looked at.
    """
    state.speak()
    st.title(title)
    st.caption(purpose)
    try:
        found = state.current()
    except BadInput:
        _gone(str(state.run_id()))
    if found is None:
        st.info("There is no finished run yet. Start one on the page **Runs**, or with `python -m badood run`.", icon=":material/info:")
        offer_example()
        st.stop()
    if not is_ready(found.run):
        _elsewhere(f"Run **{found.run.id}** has no outliers yet ({how(found.run)}). The page **Runs** shows how far it is.")
    state.keep_in_url(found)
    if not found.scored and not early:
        st.info(
            f"Run **{found.run.id}** has outliers, but no detector has looked at them yet ({how(found.run)}), so there is nothing to show "
            "here. Look at its outliers on the page **Outliers**; go on with the run on the page **Runs**.",
            icon=":material/info:",
        )
        st.stop()
    return found


def offer_example() -> None:
    """A button that puts the small run that comes with the library into the store."""
    text = "A small finished run of MiniWorld, the rendered images that come with the library: 150 outliers to look at, ready at once."
    st.button("Open the example run", icon=":material/school:", type="primary", key="open example", help=text, on_click=_open_example)


def _open_example() -> None:
    try:
        require_editor()
        state.pick_run(open_example().id)
    except BadInput as error:
        state.say(str(error), ":material/error:")


def how(run: Run) -> str:
    """How a run stands, for people."""
    record = run.record
    error = str(record.get("error") or "")
    return f"{record['state']}: {error}" if record["state"] == "failed" and error else str(record["state"])


def _gone(name: str) -> NoReturn:
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
    text = f"Run “{shown}” is not there any more, or was written by another version."
    _elsewhere(text.replace("`", "'").replace("*", "\\*"))


def _elsewhere(text: str) -> NoReturn:
    """Say what is missing, and offer what there is."""
    names = ready_runs()
    st.warning(f"{text} {'Choose another one.' if names else 'Start one on the page **Runs**.'}", icon=":material/link_off:")
    if names:
        choose_another(st.container(), "run instead", "Runs with outliers", names)
    st.stop()
