"""Which run the pages show."""

import streamlit as st

from app import state
from app.opened import runs


def run_picker() -> None:
    """A choice in the sidebar."""
    names = [run.id for run in runs() if "outliers" in run.record]
    if not names:
        return
    chosen = state.run_id()
    state.put("run choice", chosen if chosen in names else names[0])
    st.sidebar.selectbox("Run", names, key="run choice", on_change=lambda: state.pick_run(state.value("run choice")))
