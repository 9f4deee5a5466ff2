"""What every band would do: a lo x hi heatmap of a preview metric."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from badood.explore.figures.style import PALETTE, empty, styled

_NAMES = {"fpr95": "FPR95", "auroc": "AUROC", "aupr": "AUPR", "id_accuracy": "ID accuracy"}


def band_sweep(table: pd.DataFrame, metric: str = "fpr95", band: tuple[float, float] | None = None) -> go.Figure:
    """A cell a band; darker is better. Previews train the head only, and the title says so.

    Args:
        table: a row a band: lo, hi, the metric (a fraction), and kept (number of outliers).
        metric: fpr95, auroc, aupr or id_accuracy.
        band: the current lo and hi, marked by a cross.
    """
    title = f"Head-only preview of {_NAMES[metric]} over all bands"
    if table.empty:
        return empty(title, "No band has been previewed yet.")
    wide = table.pivot(index="hi", columns="lo", values=metric)
    kept = table.pivot(index="hi", columns="lo", values="kept")
    figure = go.Figure(
        go.Heatmap(
            x=wide.columns.to_numpy(float),
            y=wide.index.to_numpy(float),
            z=100 * wide.to_numpy(float),
            customdata=kept.to_numpy(float),
            colorscale="Cividis" if metric == "fpr95" else "Cividis_r",
            colorbar={"title": {"text": f"{_NAMES[metric]} (%)"}, "thickness": 14},
            hovertemplate=f"band %{{x:.4g}} to %{{y:.4g}}: {_NAMES[metric]} %{{z:.1f}} %, %{{customdata:,.0f}} outliers<extra></extra>",
        )
    )
    # a heatmap's cells cannot be chosen with a click, dots can
    pad = {"symbol": "square", "size": 26, "color": "rgba(0,0,0,0)"}
    figure.add_scatter(x=table["lo"], y=table["hi"], mode="markers", name="bands", marker=pad, showlegend=False, hoverinfo="skip")
    best = table.iloc[int((table[metric] if metric == "fpr95" else -table[metric]).argmin())]
    marks: list[tuple[str, tuple[float, float], str, str]] = [("best preview", (best["lo"], best["hi"]), "star", PALETTE[3])]
    marks += [("current band", band, "x", PALETTE[5])] if band is not None else []
    for name, (lo, hi), symbol, colour in marks:
        marker = {"symbol": symbol, "size": 15, "color": colour, "line": {"color": "white", "width": 1.5}}
        figure.add_scatter(
            x=[lo], y=[hi], mode="markers", name=name, marker=marker, hovertemplate=f"{name} %{{x:.4g}} to %{{y:.4g}}<extra></extra>"
        )
    figure = styled(figure, title, x="lowest id_confidence kept (lo)", y="highest id_confidence kept (hi)", height=480)
    lows, highs = np.asarray(wide.columns, float), np.asarray(wide.index, float)
    half = float(highs.max() - lows.min()) / 20  # half a cell of the usual eleven limits
    figure.update_xaxes(range=[lows.min() - half, lows.max() + half], showgrid=False)
    return figure.update_yaxes(range=[highs.min() - half, highs.max() + half], showgrid=False)
