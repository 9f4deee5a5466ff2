"""A choice of sources of outliers, the same on every page and in the URL; only where a run has several."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from badood.explore.finished import Finished


def source_filter(
    found: Finished, place: DeltaGenerator | None = None, *, on_change: Callable[[], None] | None = None, help: str | None = None
) -> tuple[str, ...]:
    """Draw it; the names that are chosen, or none for all.

    Args:
        place: where it is drawn; none = here.
    """
    if len(found.sources) < 2:
        return ()
    if not set(state.value("source") or ()) <= set(found.sources):
        state.forget("source")  # left over from another run
    chosen = (place or st).pills(
        "Source",
        found.sources,
        selection_mode="multi",
        key="source",
        help=help or "What made the outliers. None chosen = all.",
        bind="query-params",
        persist_state="session",
        on_change=on_change,
    )
    return tuple(chosen or ())
