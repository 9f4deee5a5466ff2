"""Estimated harm against id_confidence: are the outliers that look ID the harmful ones? Paper sec. 4.2."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from badood.core.rows import evenly
from badood.explore.figures.style import GROUP_COLOURS, PALETTE, empty, styled

GROUPS = 10
_DOTS = 2_000


def harm_by_confidence(table: pd.DataFrame) -> go.Figure:
    """A dot an outlier; over them the mean of each tenth by confidence, with its 95 % interval.

    Args:
        table: a row an outlier: id_confidence and harm (millionths of AUROC); outlier_id names the dots.
    """
    title = "Harm by id_confidence (line: mean of each tenth, with its 95 % interval)"
    if len(table) < 2 * GROUPS:
        return empty(title, f"Fewer than {2 * GROUPS} outliers.")
    dots = table.iloc[evenly(len(table), _DOTS)]
    tenths = table.groupby(pd.qcut(table["id_confidence"].rank(method="first"), GROUPS, labels=False))
    means = tenths["harm"].mean()
    figure = go.Figure()
    figure.add_scattergl(
        x=dots["id_confidence"],
        y=dots["harm"],
        mode="markers",
        name="outliers",
        marker={"size": 4, "opacity": 0.35, "color": GROUP_COLOURS["outliers"]},
        customdata=dots["outlier_id"],
        hovertemplate="outlier %{customdata}: confidence %{x:.3f}, harm %{y:.3g}<extra></extra>",
    )
    figure.add_scatter(
        x=tenths["id_confidence"].mean(),
        y=means,
        mode="lines+markers",
        name="mean",
        line={"color": PALETTE[0], "width": 3},
        error_y={"type": "data", "array": 1.96 * tenths["harm"].sem(), "thickness": 2},
        hovertemplate="mean harm %{y:.3g} at confidence %{x:.3f}<extra></extra>",
    )
    # a few far ones would press all others into a line
    lo, hi = np.quantile(table["harm"], [0.005, 0.995])
    figure = styled(figure, title, x="id_confidence", y="harm (millionths of AUROC)")
    return figure.update_yaxes(range=[min(lo, 0) - 0.05 * (hi - lo), hi + 0.05 * (hi - lo)])
