"""The head of a page: its title, what it is for, and the run it shows."""

import streamlit as st

from app import state
from app.opened import is_ready
from badood.explore.finished import Finished


def page_head(title: str, purpose: str) -> Finished:
    """Draw the head; the page ends here, with a way on, where there is no run to show.

    Args:
        title: of the page. purpose: one sentence of plain English.
    """
    st.title(title)
    st.caption(purpose)
    found = state.current()
    if found is None or not is_ready(found):
        st.info("There is no finished run yet. Start one on the page **Runs**, or with `python -m badood run`.", icon=":material/info:")
        st.stop()
    state.keep_in_url(found)
    return found
