"""The two handles of the one band: a box on the histogram and a slider with two ends, always in step."""

from dataclasses import replace
from functools import lru_cache

import plotly.graph_objects as go
import streamlit as st

from app import state
from app.opened import groups
from app.state import Band
from badood.explore import figures
from badood.explore.figures.style import source_colours
from badood.explore.finished import CONFIDENCES, Finished, Scale

UNITS = {"confidence": "id_confidence", "quantile": "ID quantiles"}

_PLOT = {"displaylogo": False, "displayModeBar": False}


def band_handles(found: Finished, band: Band, limits: tuple[float, float], only: tuple[str, ...] = ()) -> None:
    """Draw both.

    Args:
        band: as it is set. limits: the same in id_confidence. only: sources whose outliers are shown; none = all.
    """
    scale = band_scale(found)
    _plot(found, limits, scale, only)
    _slider(band, CONFIDENCES if band.quantiles else scale)


def zoom(found: Finished) -> None:
    """A switch between all of id_confidence and the part that the outliers lie in."""
    span = found.outlier_scale
    text = f"The outliers lie between {span.lo:g} and {span.hi:g}; the plot and the slider then show that part only."
    st.toggle(
        "Zoom to the outliers",
        found.fitting_scale is not CONFIDENCES,
        key="zoom",
        help=text,
        on_change=lambda: state.set_band(state.band(found)),  # so that the plot is drawn anew
        bind="query-params",
        persist_state="session",
    )


def band_scale(found: Finished) -> Scale:
    """What of id_confidence the plot and the slider show."""
    return found.outlier_scale if state.value("zoom") else CONFIDENCES


def _plot(found: Finished, limits: tuple[float, float], scale: Scale, only: tuple[str, ...]) -> None:
    """The histogram. It is another one whenever the band was set: one that stays keeps the box that was drawn on it."""
    turn = state.band_turn()
    key = f"band plot {turn}"
    apart = len(found.sources) > 1 and bool(state.value("by source", True))
    shown = tuple(groups(found, by_source=apart, source=only))
    figure = figures.with_band(_histogram(state.visitor(), found, (scale.lo, scale.hi), shown, apart, only), limits, draggable=True)
    with st.container(key="band_plot"):
        st.plotly_chart(figure, key=key, on_select=lambda: _boxed(found, key, turn), selection_mode="box", config=_PLOT)


@lru_cache(maxsize=16)
def _histogram(
    visitor: str, found: Finished, span: tuple[float, float], shown: tuple[str, ...], apart: bool, only: tuple[str, ...]
) -> go.Figure:
    """A visitor's own, for the band is drawn into it; made anew when another group can be shown."""
    parts = groups(found, by_source=apart, source=only)
    return figures.confidence_histogram(
        parts, id_quantile=found.id_quantile, span=span, tints=source_colours(found.sources) if apart else None
    )


def _boxed(found: Finished, key: str, turn: int) -> None:
    """Take over the box that was drawn, moved or resized on the plot."""
    boxes = state.value(key)["selection"]["box"]
    if boxes and turn == state.band_turn():
        lo, hi = (min(1.0, max(0.0, x)) for x in sorted(boxes[-1]["x"]))
        band, digits = state.band(found), band_scale(found).digits
        ends = found.quantiles(lo, hi) if band.quantiles else (lo, hi)
        state.set_band(replace(band, lo=round(ends[0], digits), hi=round(ends[1], digits)))


def _slider(band: Band, scale: Scale) -> None:
    """The same widget as long as it alone moves the band, so that it keeps the keyboard."""
    turn = state.slider_turn()
    key = f"band slider {turn}"

    def moved() -> None:
        if turn == state.slider_turn():
            lo, hi = state.value(key)
            state.set_band(replace(band, lo=lo, hi=hi), by_slider=True)

    span = scale.with_values(band.lo, band.hi)
    label = f"Band in {UNITS[band.unit]}: drag the ends here, or the band on the plot"
    st.slider(label, span.lo, span.hi, (band.lo, band.hi), step=span.step, format=f"%.{span.digits}f", key=key, on_change=moved)
