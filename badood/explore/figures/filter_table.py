"""The filter experiment: detection after retraining on what each filter keeps. Paper Table 2."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from badood.explore.figures.style import PALETTE, empty, styled

_METRICS = {"fpr95": "FPR95 (%) ↓", "auroc": "AUROC (%) ↑", "aupr": "AUPR (%) ↑", "id_accuracy": "ID accuracy (%) ↑"}
"""Titles; the arrow points to the better side."""

_TITLE = "Detector retrained on the outliers of each filter"


def filter_table(table: pd.DataFrame, baseline: str = "all") -> go.Figure:
    """A dot a filter and metric, with the standard deviation as a bar where it is known; a line marks the baseline filter.

    Args:
        table: a row a filter: filter, and of fpr95, auroc, aupr, id_accuracy (fractions) those that were measured; a
            column `<metric>_std` holds the standard deviation over seeds, `kept` the number of outliers.
        baseline: name of the filter that the others are compared with.
    """
    metrics = [name for name in _METRICS if name in table.columns]
    if table.empty or not metrics:
        return empty(_TITLE, "No filter has been evaluated yet.")
    figure = make_subplots(1, len(metrics), shared_yaxes=True, subplot_titles=[_METRICS[name] for name in metrics], horizontal_spacing=0.04)
    names = [f"{row.filter} ({row.kept:,})" for row in table.itertuples()] if "kept" in table.columns else table["filter"].tolist()
    for column, metric in enumerate(metrics, start=1):
        spread = {"type": "data", "array": 100 * table[f"{metric}_std"], "thickness": 1.5} if f"{metric}_std" in table.columns else None
        figure.add_scatter(
            x=100 * table[metric],
            y=names,
            mode="markers",
            error_x=spread,
            marker={"size": 11, "color": PALETTE[0]},
            hovertemplate="%{y}: %{x:.2f} %<extra>" + _METRICS[metric] + "</extra>",
            showlegend=False,
            row=1,
            col=column,
        )
        before = table.loc[table["filter"] == baseline, metric]
        if len(before):
            figure.add_vline(x=100 * before.iloc[0], line={"dash": "dot", "color": PALETTE[3]}, row=1, col=column)
    styled(figure, f"{_TITLE} (dotted: {baseline})", height=160 + 34 * len(table))
    figure.update_yaxes(autorange="reversed")
    return figure.update_yaxes(title="filter (outliers kept)", col=1)
