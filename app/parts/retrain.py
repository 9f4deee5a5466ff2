"""The button that trains the detector anew on what a band keeps."""

from typing import Any

import streamlit as st

from badood.explore.finished import Finished
from badood.explore.queries import Filters
from badood.jobs import queue
from badood.jobs.beside import ensure_worker


def retrain_button(found: Finished, filters: Filters, chosen: dict[str, Any], count: int) -> None:
    """Draw it; pressed, it hands the job in.

    Args:
        filters: which outliers the band keeps. chosen: the same as fields of `config.Filter`. count: how many they are.
    """
    of = f" of {', '.join(filters.source)}" if filters.source else ""
    wish = f"Trains the detector{' from scratch' * (found.run.cfg.detector.mode == 'scratch')} on what the band keeps{of} and tests it. "
    wish += "Minutes, in the background."
    if st.button("Retrain on this band", type="primary", icon=":material/model_training:", disabled=not count, help=wish, width="stretch"):
        ensure_worker()
        queue.submit("retrain", {"run": found.run.id, "filter": chosen}, found.run.id)
        st.rerun()
