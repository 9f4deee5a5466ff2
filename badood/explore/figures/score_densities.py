"""How a score spreads within groups of images."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from badood.explore.figures.style import INK, colours, empty, styled


def score_densities(
    groups: Mapping[str, NDArray[np.floating]],
    title: str = "Score densities",
    score: str = "energy E (nats)",
    *,
    limit: float | None = None,
    bins: int = 60,
) -> go.Figure:
    """Outlines of histograms, each in percent of its own group, so that groups of any size compare.

    Args:
        groups: scores by name; those that are not finite are left out.
        title: of the figure. score: name and unit of the score.
        limit: a threshold, drawn as a dashed line.
        bins: equal bins over the range of all groups.
    """
    finite = {name: values[np.isfinite(values)] for name, values in groups.items()}
    seen = [values for values in finite.values() if len(values)]
    if not seen:
        return empty(title, "There are no scores to show.")
    lo, hi = min(values.min() for values in seen), max(values.max() for values in seen)
    width = (hi - lo if hi > lo else 1.0) / bins
    edges = lo + width * np.arange(-1, bins + 2)  # an empty bin at both ends, so that every outline comes down to zero
    figure = go.Figure()
    tints = colours(list(finite))
    for name, values in finite.items():
        share = 100 * np.histogram(values, bins=edges)[0] / max(1, len(values))
        figure.add_scatter(
            x=(edges[:-1] + edges[1:]) / 2,
            y=share,
            mode="lines",
            line={"color": tints[name], "shape": "hvh", "width": 2},
            fill="tozeroy",
            opacity=0.6,
            name=f"{name} ({len(values):,})",
            hovertemplate="%{x:.3f}: %{y:.1f} %<extra>" + name + "</extra>",
        )
    if limit is not None:
        figure.add_vline(x=limit, line={"dash": "dash", "color": INK, "width": 2})
    return styled(figure, title, x=f"{score}; larger looks more OOD", y="share of the group per bin (%)", height=380)
