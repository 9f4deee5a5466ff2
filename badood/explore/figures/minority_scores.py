"""Minority score by guidance scale: stronger guidance moves outliers to less likely places. Paper sec. 3.2."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from badood.explore.figures.style import INK, PALETTE, empty, styled


def minority_scores(table: pd.DataFrame) -> go.Figure:
    """A box a scale (quartiles, 5 % and 95 % as whiskers) with the mean as a diamond.

    Args:
        table: a row an outlier: guidance_scale and minority_score.
    """
    table = table.dropna(subset=["guidance_scale", "minority_score"])
    if table.empty:
        return empty("Minority score by guidance scale", "No outlier of this run has both.")
    figure = go.Figure()
    means = []
    for position, (scale, part) in enumerate(table.groupby("guidance_scale")["minority_score"]):
        low, q1, median, q3, high = np.quantile(part, [0.05, 0.25, 0.5, 0.75, 0.95])
        means.append((f"{scale:g}", part.mean()))
        # quantiles are computed here, so that the page carries six numbers and not every outlier
        figure.add_box(
            x=[f"{scale:g}"],
            q1=[q1],
            median=[median],
            q3=[q3],
            lowerfence=[low],
            upperfence=[high],
            name=f"{scale:g} ({len(part):,})",
            marker={"color": PALETTE[position % len(PALETTE)]},
            showlegend=False,
        )
    labels, values = zip(*means, strict=True)
    figure.add_scatter(
        x=labels,
        y=values,
        mode="lines+markers",
        name="mean",
        line={"dash": "dot", "color": INK},
        marker={"symbol": "diamond", "size": 9, "color": INK},
    )
    title = "Minority score by guidance scale (box: quartiles; whiskers: 5 and 95 %)"
    return styled(figure, title, x="guidance scale", y="minority score L (distance in z)").update_xaxes(type="category")
