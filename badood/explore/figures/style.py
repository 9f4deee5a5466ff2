"""The look that all figures share: colours safe for colour-blind eyes, legible on light and on dark pages.

Text and backgrounds are those of plotly's template, which pages and notebooks choose.
"""

import colorsys
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

# Okabe & Ito 2008, in an order whose neighbours differ in lightness too; black is left out, dark pages would swallow it, and the light ones
# are darkened: each has a contrast of 3:1 at least (WCAG 2.2, 1.4.11) with the light page and with the dark one
PALETTE = ("#0072B2", "#BB8100", "#009E73", "#D55E00", "#1C95D9", "#C870A1", "#95911C")

TYPE_COLOURS = {"OOD-I": "#0072B2", "OOD-II": "#BB8100", "OOD-III": "#C870A1"}

GROUP_COLOURS = {"ID validation": "#0072B2", "outliers": "#D55E00", "real OOD": "#009E73", "auxiliary OOD": "#C870A1"}

_SOURCES = ("#D55E00", "#C870A1", "#95911C", "#1C95D9", "#BB8100")
"""Of sources of outliers, in the order of the run's settings: beside ID images and real OOD they are told apart."""

SYMBOLS = ("circle", "diamond", "square", "cross", "x", "triangle-up", "star")
"""Of dots: another one for every seven groups."""

ANOMALY_SCALE = "RdBu_r"
"""Diverging, red = anomalous as in the paper's Fig. 5; blue against red is told apart by colour-blind eyes."""

DOT_SCALE = ((0.0, "#0072B2"), (0.5, "#8a8d93"), (1.0, "#BB8100"))
"""For dots on any ground: no end is as light or as dark as a page."""

BAND = "#BB8100"
BAND_FILL = "rgba(187, 129, 0, 0.2)"
INK = "#7c7f86"
"""Of lines that belong to no group."""
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
    """A colour for every name, no two alike; known groups and types keep theirs.

    Names beside a known group are sources of outliers.
    """
    known = TYPE_COLOURS | GROUP_COLOURS
    if set(names) & set(GROUP_COLOURS):
        return source_colours([name for name in names if name not in known]) | {name: known[name] for name in names if name in known}
    return {name: known.get(name) or _nth(position, PALETTE) for position, name in enumerate(names)}


def source_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for every source of outliers, the same on every page, no two alike.

    Args:
        names: all sources of the run, in the order of its settings.
    """
    return {name: _nth(position, _SOURCES) for position, name in enumerate(names)}


def pale(colour: str, opacity: float = 0.4) -> str:
    """A colour as plotly's rgba, for areas that may lie over each other."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2.2: 1 (none) to 21.

    Args:
        one, other: as "#RRGGBB".
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2, 0..1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _nth(position: int, chosen: Sequence[str]) -> str:
    """The colour at a position; beyond those that were chosen, hues a golden angle apart, as legible on both pages."""
    if position < len(chosen):
        return chosen[position]
    hue = position * 0.618034 % 1
    made = ("#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, step / 100, 0.55)) for step in range(10, 90))
    return next(colour for colour in made if _luminance(colour) >= _BETWEEN)


_BETWEEN = 0.2
"""Luminance that is far enough from white and from a dark page."""


def styled(figure: go.Figure, title: str, *, x: str | None = None, y: str | None = None, height: int = 420, **layout: Any) -> go.Figure:
    """The figure with title, axis titles and the common look."""
    figure.update_layout(
        title={"text": title, "x": 0, "xanchor": "left", "font": {"size": 16}},
        height=height,
        margin={"l": 64, "r": 24, "t": 64, "b": 56},
        font={"size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        hoverlabel={"font": {"size": 12}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": PALETTE[0]},
        colorway=PALETTE,
    )
    figure.update_xaxes(gridcolor=_GRID, zerolinecolor=_GRID, linecolor=INK, automargin=True)
    figure.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID, linecolor=INK, automargin=True)
    if x is not None:
        figure.update_xaxes(title=x)
    if y is not None:
        figure.update_yaxes(title=y)
    figure.update_layout(**layout)
    return figure


def empty(title: str, why: str) -> go.Figure:
    """A figure that says why there is nothing to see."""
    figure = go.Figure()
    figure.add_annotation(text=why, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 14})
    return styled(figure, title, xaxis={"visible": False}, yaxis={"visible": False})
