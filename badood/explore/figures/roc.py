"""ROC curves as the paper reads them: ID accepted against OOD accepted."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from badood.explore.figures.style import INK, LEGEND_BELOW, colours, styled


def roc(id_anomaly: Mapping[str, NDArray[np.floating]], ood_anomaly: Mapping[str, NDArray[np.floating]], points: int = 400) -> go.Figure:
    """A curve a detector or OOD set; where it crosses the line at 95 % of ID, its x is the FPR95.

    Args:
        id_anomaly, ood_anomaly: by name (N,) anomaly of ID and of OOD images, larger = more OOD; the same names in both.
        points: curves are thinned to about so many points, which moves them by less than a line's width.
    """
    figure = go.Figure()
    tints = colours(list(ood_anomaly))
    for name, ood in ood_anomaly.items():
        of_id = id_anomaly[name]
        accepted_ood, accepted_id, _ = roc_curve(np.r_[np.ones(len(of_id)), np.zeros(len(ood))], -np.r_[of_id, ood])
        keep = np.unique(np.linspace(0, len(accepted_id) - 1, min(points, len(accepted_id))).round().astype(int))
        figure.add_scatter(
            x=100 * accepted_ood[keep],
            y=100 * accepted_id[keep],
            mode="lines",
            name=name,
            line={"color": tints[name]},
            hovertemplate="ID accepted %{y:.1f} %, OOD accepted %{x:.1f} %<extra>" + name + "</extra>",
        )
    figure.add_hline(
        y=95,
        line={"dash": "dot", "color": INK},
        annotation={"text": "95 % of ID: read FPR95 here"},
        annotation_position="bottom right",
    )
    figure = styled(
        figure,
        "ROC curve: ID accepted against OOD accepted",
        x="OOD accepted as ID (%)",
        y="ID accepted (%)",
        height=480,
        legend=LEGEND_BELOW,
    )
    figure.update_xaxes(range=[0, 100])
    return figure.update_yaxes(range=[0, 101])
