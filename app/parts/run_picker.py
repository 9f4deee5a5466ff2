"""Which run the pages show."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.opened import is_ready, runs


def ready_runs() -> list[str]:
    """Names of the runs that have outliers to look at, newest first."""
    return [run.id for run in runs() if is_ready(run)]


def run_picker() -> None:
    """A choice in the sidebar."""
    names, chosen = ready_runs(), state.run_id()
    if not names:
        return
    if chosen in names:
        state.put("run choice", chosen)
        st.sidebar.selectbox("Run", names, key="run choice", on_change=_pick, args=("run choice",))
    else:
        choose_another(st.sidebar.container(), "run choice of none", "Run", names)


def choose_another(place: DeltaGenerator, key: str, label: str, names: list[str]) -> None:
    """A choice of runs of which none is taken yet."""
    place.selectbox(label, names, index=None, placeholder="Choose a run", key=key, on_change=_pick, args=(key,))


def _pick(key: str) -> None:
    if state.value(key) is not None:
        state.pick_run(state.value(key))
