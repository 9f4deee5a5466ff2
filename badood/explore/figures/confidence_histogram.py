"""Where ID images, outliers and real OOD images lie in id_confidence, with the band."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from badood.explore.figures.style import BAND_FILL, colours, styled


def confidence_histogram(
    groups: Mapping[str, NDArray[np.floating]],
    band: tuple[float, float] | None = None,
    *,
    id_quantile: float | None = None,
    mark: float | None = None,
    bins: int = 50,
    draggable: bool = False,
) -> go.Figure:
    """Overlaid histograms, each in percent of its own group, so that groups of any size compare.

    Args:
        groups: id_confidence in [0, 1] by name: "ID validation", "outliers", "real OOD", or others.
        band: lo and hi of the kept outliers, shaded.
        id_quantile: the 5 % quantile of ID-validation confidence, a dashed line: kept outliers above it overlap with ID.
        mark: id_confidence of one image, a solid line.
        bins: equal bins over [0, 1].
        draggable: the band is a selection whose edges a person can move; the page hears of it as of any box selection.
    """
    edges = np.linspace(0, 1, bins + 1)
    figure = go.Figure()
    tints = colours(list(groups))
    for name, values in groups.items():
        counts = np.histogram(values, bins=edges)[0]
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=100 * counts / max(1, len(values)),
            width=1 / bins,
            name=f"{name} ({len(values):,})",
            marker={"color": tints[name], "line": {"width": 0}},
            opacity=0.55,
            customdata=np.column_stack([edges[:-1], edges[1:], counts]),
            hovertemplate="%{customdata[0]:.2f} to %{customdata[1]:.2f}: %{customdata[2]:,} (%{y:.1f} %)<extra>" + name + "</extra>",
        )
    if band is not None:
        figure.add_vrect(
            x0=band[0],
            x1=band[1],
            fillcolor=BAND_FILL,
            line={"color": "#E69F00", "width": 2},
            annotation={"text": f"band {band[0]:.2f}–{band[1]:.2f}", "yanchor": "bottom"},
            annotation_position="top left",
            layer="below",
        )
    if id_quantile is not None:
        figure.add_vline(
            x=id_quantile,
            line={"color": tints.get("ID validation", "#0072B2"), "width": 2, "dash": "dash"},
            annotation={"text": "5 % of ID", "textangle": -90},
        )
    if mark is not None:
        figure.add_vline(x=mark, line={"color": "#D55E00", "width": 3}, annotation={"text": f"this one: {mark:.3f}", "yanchor": "bottom"})
    if draggable and band is not None:
        top = 1.08 * max(max(bar.y) for bar in figure.data)
        # the type must be said: events carry the layout as it was given, and a box without a type is not reported
        figure.add_selection(type="rect", xref="x", yref="y", x0=band[0], x1=band[1], y0=0, y1=top, line={"color": "#E69F00", "width": 2})
        figure.update_traces(selected={"marker": {"opacity": 0.55}}, unselected={"marker": {"opacity": 0.55}})
        figure.update_layout(dragmode="select", selectdirection="h", activeselection={"fillcolor": "#E69F00", "opacity": 0.25})
        figure.update_yaxes(range=[0, top])
    x = "id_confidence (calibrated probability of ID; 1 = looks ID, 0 = far away)"
    figure = styled(figure, "Confidence of ID images, outliers and real OOD", x=x, y="share of the group per bin (%)", barmode="overlay")
    return figure.update_xaxes(range=[0, 1])
