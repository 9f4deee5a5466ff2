"""ID images and outliers as points on a plane."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from badood.explore.figures.style import DOT_SCALE, INK, SYMBOLS, colours, styled


def embedding_map(
    points: pd.DataFrame,
    colour: str = "id_confidence",
    tints: Mapping[str, str] | None = None,
    axes: tuple[str, str] | None = None,
) -> go.Figure:
    """Outliers as dots over the ID images as pale rings; drawn by WebGL, so a hundred thousand points stay fluid.

    Args:
        points: a row a point: x, y, kind ("ID" or "outlier"), id (of the image or outlier) and the column `colour`.
        colour: a numeric column is shown as a scale, any other as groups; outliers of which it says nothing are grey.
        tints: colours of groups that have one elsewhere, such as sources. axes: what x and y are; none = places on a map, without a unit.
    """
    figure = go.Figure()
    of_id, outliers = (points[points["kind"] == kind] for kind in ("ID", "outlier"))
    if len(of_id):
        figure.add_trace(_rings(of_id))
    empty = outliers[colour].isna() | (outliers[colour].astype(str) == "")
    unsaid, outliers = outliers[empty], outliers[~empty]
    if pd.api.types.is_numeric_dtype(points[colour]):
        scale = {"color": outliers[colour], "colorscale": DOT_SCALE, "colorbar": {"title": {"text": colour}, "thickness": 14}, "size": 5}
        figure.add_trace(_dots(outliers, colour, f"outliers ({len(outliers):,})", scale))
    else:
        names = sorted(outliers[colour].unique())
        shown = colours(names) | dict(tints or {})
        for place, name in enumerate(names):
            part = outliers[outliers[colour] == name]
            marker = {"color": shown[name], "size": 5, "symbol": SYMBOLS[place // len(SYMBOLS) % len(SYMBOLS)]}
            figure.add_trace(_dots(part, colour, f"{name} ({len(part):,})", marker))
    if len(unsaid):
        figure.add_trace(_dots(unsaid.assign(**{colour: "unknown"}), colour, f"unknown ({len(unsaid):,})", {"color": INK, "size": 5}))
    if axes is not None:
        return styled(figure, f"{axes[0]} and {axes[1]}", x=axes[0], y=axes[1], height=620, dragmode="lasso")
    styled(figure, "Map of the embeddings", x="first axis of the map (no unit)", y="second axis (no unit)", height=620, dragmode="lasso")
    figure.update_yaxes(scaleanchor="x", scaleratio=1)
    return figure


def _rings(of_id: pd.DataFrame) -> go.Scattergl:
    return go.Scattergl(
        x=of_id["x"],
        y=of_id["y"],
        mode="markers",
        name=f"ID ({len(of_id):,})",
        marker={"size": 5, "symbol": "circle-open", "color": INK, "opacity": 0.5},
        hoverinfo="skip",
    )


def _dots(part: pd.DataFrame, colour: str, name: str, marker: dict[str, object]) -> go.Scattergl:
    digits = ":.3g" if pd.api.types.is_numeric_dtype(part[colour]) else ""
    return go.Scattergl(
        x=part["x"],
        y=part["y"],
        mode="markers",
        name=name,
        marker=marker,
        customdata=part[["id", colour]],
        hovertemplate=f"outlier %{{customdata[0]}}<br>{colour} %{{customdata[1]{digits}}}<extra></extra>",
    )
