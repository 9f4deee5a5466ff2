"""The look that all figures share: colours safe for colour-blind eyes, legible on light and on dark pages."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

# Okabe & Ito 2008, in an order whose neighbours differ in lightness too; black is left out, dark pages would swallow it
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#A8A420")

TYPE_COLOURS = {"OOD-I": "#0072B2", "OOD-II": "#E69F00", "OOD-III": "#CC79A7"}

GROUP_COLOURS = {"ID validation": "#0072B2", "outliers": "#D55E00", "real OOD": "#009E73", "auxiliary OOD": "#CC79A7"}

SOURCE_COLOURS = ("#D55E00", "#CC79A7", "#A8A420", "#56B4E9", "#E69F00")
"""Of sources of outliers, in the order of the run's settings: beside ID images and real OOD they are told apart."""

ANOMALY_SCALE = "RdBu_r"
"""Diverging, red = anomalous as in the paper's Fig. 5; blue against red is told apart by colour-blind eyes."""

DOT_SCALE = ((0.0, "#0072B2"), (0.5, "#9a9a9a"), (1.0, "#E69F00"))
"""For dots on any ground: no end is as light or as dark as a page."""

BAND_FILL = "rgba(230, 159, 0, 0.18)"
_INK = "#7c7f86"
_GRID = "rgba(127, 127, 127, 0.22)"


LEGEND_BELOW = {"orientation": "h", "yanchor": "top", "y": -0.2, "xanchor": "left", "x": 0}
"""For figures with many or long names, which would run into the title."""


def mark_text(value: float | None, *, signed: bool = False) -> str:
    """An id_confidence, or a harm, for the corner of an image; empty where it is not known.

    Of a confidence two decimals, three where two would say 0.00 of nearly all.

    Args:
        signed: it is a harm, which has a sign.
    """
    if value is None or value != value:
        return ""
    if signed:
        return f"{value:+.2g}" if abs(value) < 10 else f"{value:+.0f}"
    return f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for every name; known groups and types keep theirs, further ones repeat after seven.

    Names beside a known group are sources of outliers.
    """
    known = TYPE_COLOURS | GROUP_COLOURS
    if set(names) & set(GROUP_COLOURS):
        return source_colours([name for name in names if name not in known]) | {name: known[name] for name in names if name in known}
    return {name: known.get(name, PALETTE[position % len(PALETTE)]) for position, name in enumerate(names)}


def source_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for every source of outliers, the same on every page; they repeat after five.

    Args:
        names: all sources of the run, in the order of its settings.
    """
    return {name: SOURCE_COLOURS[position % len(SOURCE_COLOURS)] for position, name in enumerate(names)}


def styled(figure: go.Figure, title: str, *, x: str | None = None, y: str | None = None, height: int = 420, **layout: Any) -> go.Figure:
    """The figure with title, axis titles and the common look; backgrounds stay transparent."""
    figure.update_layout(
        title={"text": title, "x": 0, "xanchor": "left", "font": {"size": 16}},
        height=height,
        margin={"l": 64, "r": 24, "t": 64, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        hoverlabel={"font": {"size": 12}},
        # plotly would take a dark bar for a transparent background
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": _INK, "activecolor": PALETTE[0]},
        colorway=PALETTE,
    )
    figure.update_xaxes(gridcolor=_GRID, zerolinecolor=_GRID, linecolor=_INK, automargin=True)
    figure.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID, linecolor=_INK, automargin=True)
    if x is not None:
        figure.update_xaxes(title=x)
    if y is not None:
        figure.update_yaxes(title=y)
    figure.update_layout(**layout)
    return figure


def empty(title: str, why: str) -> go.Figure:
    """A figure that says why there is nothing to see."""
    figure = go.Figure()
    figure.add_annotation(text=why, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 14, "color": _INK})
    return styled(figure, title, xaxis={"visible": False}, yaxis={"visible": False})
