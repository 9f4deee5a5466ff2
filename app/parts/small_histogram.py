"""A histogram above a slider, of plain SVG: it says where to drag before anybody drags."""

from functools import lru_cache

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from badood.explore.finished import Finished, Scale

_BINS = 60
_HEIGHT = 26  # px


def small_histogram(found: Finished, column: str, scale: Scale, place: DeltaGenerator | None = None) -> None:
    """Where a run's outliers lie on a slider's axis.

    Args:
        column: of the outliers. scale: the slider's. place: where it is drawn; none = here.
    """
    (place or st).html(_drawn(found, column, (scale.lo, scale.hi)))


@lru_cache(maxsize=64)
def _drawn(found: Finished, column: str, span: tuple[float, float]) -> str:
    table = found.outliers.histogram(column, bins=_BINS, span=span)
    tallest = max(1, int(table["count"].max()))
    bars = "".join(
        f'<rect x="{place}" width="0.9" y="{_HEIGHT * (1 - (share := count / tallest)):.2f}" height="{_HEIGHT * share:.2f}"/>'
        for place, count in enumerate(table["count"])
        if count
    )
    return (
        f'<svg viewBox="0 0 {_BINS} {_HEIGHT}" preserveAspectRatio="none" width="100%" height="{_HEIGHT}" role="img" '
        f'aria-label="Histogram of {column}" style="display:block;fill:currentColor;opacity:.55;margin-bottom:-14px">{bars}</svg>'
    )
