"""Mean anomaly by semantic and covariate shift, a panel a method. Paper Fig. 5 and 6."""

import math

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from badood.explore.figures.style import ANOMALY_SCALE, empty, styled

_TITLE = "Anomaly by shift: semantic shift grows downward, covariate shift rightward"


def shift_heatmaps(table: pd.DataFrame, columns: int = 3) -> go.Figure:
    """Heatmaps side by side; colours show `rescaled` (0..1 within a method), hovering shows the mean anomaly and the count.

    Args:
        table: as `evaluate.shift.shift_table` makes it. Cells without images stay blank.
        columns: panels a row, at most.
    """
    if table.empty:
        return empty(_TITLE, "No scores on a shift grid yet: run the evaluate stage with a grid in data.grid.")
    methods = list(dict.fromkeys(table["method"]))
    columns = min(columns, len(methods))
    rows = math.ceil(len(methods) / columns)
    figure = make_subplots(rows, columns, subplot_titles=methods, horizontal_spacing=0.06, vertical_spacing=0.24 / rows)
    for position, method in enumerate(methods):
        cells = table[table["method"] == method]
        wide = {name: cells.pivot(index="semantic", columns="covariate", values=name) for name in ("rescaled", "mean_anomaly", "count")}
        figure.add_heatmap(
            z=wide["rescaled"].to_numpy(float),
            x=wide["rescaled"].columns.tolist(),
            y=wide["rescaled"].index.tolist(),
            customdata=pd.concat([wide["mean_anomaly"], wide["count"]], axis=1)
            .to_numpy(float)
            .reshape(len(wide["count"]), 2, -1)
            .swapaxes(1, 2),
            hovertemplate="semantic %{y}, covariate %{x}<br>mean anomaly %{customdata[0]:.3f}<br>%{customdata[1]:.0f} images<extra>"
            + method
            + "</extra>",
            coloraxis="coloraxis",
            row=position // columns + 1,
            col=position % columns + 1,
        )
    bar = {"title": {"text": "anomaly, rescaled<br>by method"}, "thickness": 14}
    styled(figure, _TITLE, height=90 + 290 * rows, coloraxis={"colorscale": ANOMALY_SCALE, "cmin": 0, "cmax": 1, "colorbar": bar})
    figure.update_yaxes(autorange="reversed", dtick=1, scaleanchor=None, showgrid=False)
    figure.update_xaxes(dtick=1, showgrid=False)
    figure.update_yaxes(title="semantic level", col=1)
    return figure.update_xaxes(title="covariate level", row=rows)
