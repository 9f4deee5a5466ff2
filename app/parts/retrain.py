"""The button that trains the detector anew on what a band keeps."""

from typing import Any

import streamlit as st

from app.changing import hand_in, may_edit
from badood.explore.finished import Finished
from badood.explore.queries import Filters


def retrain_button(found: Finished, filters: Filters, chosen: dict[str, Any], count: int) -> None:
    """Draw it; pressed, it hands the job in.

    Args:
        filters: which outliers the band keeps. chosen: the same as fields of `config.Filter`. count: how many they are.
    """
    of = f" of {', '.join(filters.source)}" if filters.source else ""
    wish = f"Trains the detector{' from scratch' * (found.run.cfg.detector.mode == 'scratch')} on what the band keeps{of} and tests it. "
    wish += "Minutes, in the background."
    if st.button(
        "Retrain on this band",
        type="primary",
        icon=":material/model_training:",
        disabled=not count or not may_edit(),
        help=wish,
        width="stretch",
    ):
        hand_in("retrain", {"run": found.run.id, "filter": chosen}, found.run.id, kept=count, **_told(chosen))
        st.rerun()


def _told(chosen: dict[str, Any]) -> dict[str, Any]:
    """What the log says of a choice: lists of outliers by their length."""
    return {key: len(value) if key in ("ids", "without") else value for key, value in chosen.items()}
