"""Mean anomaly and AUROC by semantic and covariate shift, a panel a method. Paper Fig. 5 and 6."""

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from badood.evaluate.shift import KINDS
from badood.explore.figures.style import ANOMALY_SCALE, empty, styled

_TITLE = "Anomaly by semantic and covariate shift"


def shift_heatmaps(table: pd.DataFrame, columns: int = 3) -> go.Figure:
    """Heatmaps side by side, semantic shift downward, covariate shift rightward. Colours show `rescaled` (0..1 within a method), numbers AUROC
    in percent; hovering shows the mean anomaly, AUROC and the count.

    Args:
        table: as `evaluate.shift.shift_table` makes it. Cells without images stay blank, also where all of a level between others do.
        columns: panels a row, at most.
    """
    if table.empty:
        return empty(_TITLE, "No scores on a shift grid yet: run the evaluate stage with a grid in data.grid.")
    methods = list(dict.fromkeys(table["method"]))
    columns = min(columns, len(methods))
    rows = math.ceil(len(methods) / columns)
    figure = make_subplots(rows, columns, subplot_titles=methods, horizontal_spacing=0.06, vertical_spacing=0.24 / rows)
    semantic, covariate = (range(table[kind].max() + 1) for kind in KINDS)
    for position, method in enumerate(methods):
        cells = table[table["method"] == method]
        wide = {
            name: cells.pivot(index="semantic", columns="covariate", values=name).reindex(semantic, columns=covariate).to_numpy(float)
            for name in ("rescaled", "mean_anomaly", "auroc", "count")
        }
        figure.add_heatmap(
            z=wide["rescaled"],
            x=list(covariate),
            y=list(semantic),
            customdata=np.stack([wide["mean_anomaly"], wide["count"], 100 * wide["auroc"]], axis=2),
            text=[["" if np.isnan(auroc) else f"{100 * auroc:.0f}" for auroc in row] for row in wide["auroc"]],
            texttemplate="%{text}",
            hovertemplate="semantic %{y}, covariate %{x}<br>mean anomaly %{customdata[0]:.3f}<br>AUROC %{customdata[2]:.1f} %"
            f"<br>%{{customdata[1]:.0f}} images<extra>{method}</extra>",
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
