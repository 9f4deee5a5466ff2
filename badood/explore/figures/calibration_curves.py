"""What calibrators make of a raw score."""

import pandas as pd
import plotly.graph_objects as go

from badood.explore.figures.style import LEGEND_BELOW, colours, styled


def calibration_curves(curves: pd.DataFrame, chosen: str | None = None, score: str = "energy E (nats)") -> go.Figure:
    """A line a calibrator: raw score against id_confidence.

    Args:
        curves: log_odds, and a column of id_confidence by calibrator, as `explore.calibrations.calibration_curves` makes it.
        chosen: the calibrator the run uses; drawn thicker.
        score: what is calibrated, and in which unit.
    """
    figure = go.Figure()
    names = [name for name in curves.columns if name != "log_odds"]
    tints = colours(names)
    for name in names:
        line = {"color": tints[name], "width": 4 if name == chosen else 2, "dash": "dot" if name == "raw" else "solid"}
        figure.add_scatter(
            x=curves["log_odds"],
            y=curves[name],
            mode="lines",
            name=name,
            line=line,
            hovertemplate="%{x:.2f} gives %{y:.3f}<extra>" + name + "</extra>",
        )
    x = f"{score}; larger looks more OOD"
    figure = styled(figure, "From raw score to id_confidence", x=x, y="id_confidence", height=480, legend=LEGEND_BELOW)
    return figure.update_yaxes(range=[-0.02, 1.02])
