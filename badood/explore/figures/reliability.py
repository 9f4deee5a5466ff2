"""Reliability diagram: confidence against what came true, before and after calibration. Guo et al. 2017."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from badood.explore.figures.style import INK, LEGEND_BELOW, colours, styled


def reliability(curves: Mapping[str, pd.DataFrame], ece: Mapping[str, float] | None = None) -> go.Figure:
    """A line a calibrator; on the diagonal, id_confidence is the share of ID images.

    Args:
        curves: by calibrator a table as `calibrate.reliability_table` makes it. Empty bins are left out.
        ece: expected calibration error by calibrator, shown in the legend.
    """
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": INK}, name="perfect", hoverinfo="skip")
    tints = colours(list(curves))
    for name, curve in curves.items():
        seen = curve[curve["count"] > 0]
        figure.add_scatter(
            x=seen["mean_confidence"],
            y=seen["id_share"],
            mode="lines+markers",
            name=f"{name} (ECE {ece[name]:.3f})" if ece else name,
            line={"color": tints[name]},
            customdata=seen["count"],
            hovertemplate="confidence %{x:.3f}, share of ID %{y:.3f}, %{customdata:,} images<extra>" + name + "</extra>",
        )
    x, y = "mean id_confidence in the bin", "share of ID images in the bin"
    figure = styled(figure, "Reliability of id_confidence", x=x, y=y, height=480, legend=LEGEND_BELOW)
    figure.update_xaxes(range=[0, 1])
    return figure.update_yaxes(range=[0, 1])
