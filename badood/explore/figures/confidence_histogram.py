"""Where ID images, outliers and real OOD images lie in id_confidence, with the band."""

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from badood.explore.figures.style import BAND, BAND_FILL, GROUP_COLOURS, LEGEND_BELOW, colours, pale, styled


def confidence_histogram(
    groups: Mapping[str, NDArray[np.floating]],
    band: tuple[float, float] | None = None,
    *,
    id_quantile: float | None = None,
    mark: float | None = None,
    bins: int = 50,
    span: tuple[float, float] = (0.0, 1.0),
    draggable: bool = False,
    tints: Mapping[str, str] | None = None,
) -> go.Figure:
    """Overlaid histograms, each in percent of its own group, so that groups of any size compare.

    Args:
        groups: id_confidence in [0, 1] by name: "ID validation", "outliers", "real OOD"; others are sources of outliers and drawn as outlines.
        band: lo and hi of the kept outliers, shaded.
        id_quantile: the 5 % quantile of ID-validation confidence, a dashed line: kept outliers right of it overlap with ID.
        mark: id_confidence of one image, a solid line.
        bins: equal bins over the span.
        span: part of id_confidence that is shown; shares stay those of the whole group.
        tints: colours of groups that have one elsewhere, such as sources.
        draggable: the band is a selection whose edges a person can move; the page hears of it as of any box selection.
    """
    edges = np.linspace(*span, bins + 1)
    digits = max(2, math.ceil(-math.log10((span[1] - span[0]) / bins)))
    figure = go.Figure()
    tints = colours(list(groups)) | dict(tints or {})
    for name, values in groups.items():
        counts = np.histogram(values, bins=edges)[0]
        shown = {
            "x": (edges[:-1] + edges[1:]) / 2,
            "y": 100 * counts / max(1, len(values)),
            "name": f"{name} ({len(values):,})",
            "customdata": np.column_stack([edges[:-1], edges[1:], counts]),
            "hovertemplate": f"%{{customdata[0]:.{digits}f}} to %{{customdata[1]:.{digits}f}}: %{{customdata[2]:,}} (%{{y:.1f}} %)<extra>{name}</extra>",
        }
        outline = {"mode": "lines", "line": {"color": tints[name], "width": 2, "shape": "hvh"}}
        if name in GROUP_COLOURS:
            whole = {"marker": {"opacity": 1}}
            bar = {"color": pale(tints[name]), "line": {"width": 0}}
            same = {"legendgroup": name, "showlegend": False}
            figure.add_bar(**shown, **same, width=(span[1] - span[0]) / bins, marker=bar, selected=whole, unselected=whole)
            # areas are pale, for they hide one another; the line around them is not
            figure.add_scatter(x=shown["x"], y=shown["y"], name=shown["name"], legendgroup=name, hoverinfo="skip", **outline)
        else:  # sources of outliers: outlines alone
            figure.add_scatter(**shown, **outline)
    top = 1.08 * max(1e-9, *(max(group.y) for group in figure.data))
    if id_quantile is not None and span[0] <= id_quantile <= span[1]:
        line = {"color": GROUP_COLOURS["ID validation"], "width": 2, "dash": "dash"}
        name = "95 % of ID lie right of this line"
        figure.add_scatter(x=[id_quantile] * 2, y=[0, top], mode="lines", line=line, name=name, hoverinfo="skip")
    if mark is not None:
        figure.add_vline(
            x=mark,
            line={"color": GROUP_COLOURS["outliers"], "width": 3},
            annotation={"text": f"this one: {mark:.3g}", "yanchor": "bottom", "xanchor": "right" if mark > sum(span) / 2 else "left"},
        )
    x = "id_confidence (calibrated probability of ID; 1 = looks ID, 0 = far away)"
    figure = styled(figure, "Confidence of ID images, outliers and real OOD", x=x, y="share of the group per bin (%)", barmode="overlay")
    figure.update_layout(legend=LEGEND_BELOW, height=450)
    figure.update_yaxes(range=[0, top])
    figure.update_xaxes(range=list(span))
    return figure if band is None else with_band(figure, band, draggable=draggable)


def with_band(figure: go.Figure, band: tuple[float, float], *, draggable: bool = False) -> go.Figure:
    """The same figure with another band. Drawing the whole histogram anew at every step of a drag would take ten times as long.

    Args:
        figure: of `confidence_histogram`; it is changed.
        band, draggable: as there.
    """
    layout, edge = figure.layout, {"color": BAND, "width": 2}
    (left, right), (_, top) = layout.xaxis.range, layout.yaxis.range
    digits = max(2, math.ceil(-math.log10((right - left) / 50)))
    area = {"type": "rect", "name": "band", "x0": band[0], "x1": band[1], "line": edge}
    text = {"text": f"band {band[0]:.{digits}f}–{band[1]:.{digits}f}", "name": "band", "showarrow": False, "x": band[0]}
    text |= {"xanchor": "left", "y": 1, "yref": "y domain", "yanchor": "bottom"}
    # set anew as a whole: an update would merge each with the one before it
    layout.shapes = [
        *(other for other in layout.shapes if other.name != "band"),
        area | {"y0": 0, "y1": 1, "yref": "y domain", "fillcolor": BAND_FILL, "layer": "below"},
    ]
    layout.annotations = [*(other for other in layout.annotations if other.name != "band"), text]
    if draggable:
        # the type must be said: events carry the layout as it was given, and a box without a type is not reported
        layout.selections = [area | {"xref": "x", "yref": "y", "y0": 0, "y1": top}]
        layout.dragmode, layout.selectdirection = "select", "h"
        # the band is filled already
        layout.activeselection = {"fillcolor": BAND, "opacity": 0.05}
    return figure
