"""Which classes and types a filter keeps."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from badood.explore.figures.style import PALETTE, TYPE_COLOURS, styled


def kept_mix(classes: pd.DataFrame, types: pd.DataFrame, most: int = 15) -> go.Figure:
    """Share of each class and type that is kept; a bar of full length is kept whole.

    Args:
        classes: a row an anchor class: anchor_class, kept and total (numbers of outliers). types: the same by ood_type.
        most: classes shown; of more, those with the most kept outliers.
    """
    shown = classes.nlargest(most, "kept")
    heights = [max(2, len(types)), max(2, len(shown))]
    figure = make_subplots(2, 1, row_heights=heights, vertical_spacing=0.16, subplot_titles=["by type", "by class of the anchor"])
    for row, (table, by) in enumerate(((types, "ood_type"), (shown, "anchor_class")), start=1):
        names = table[by].tolist()
        figure.add_bar(
            y=names,
            x=100 * table["kept"] / table["total"].clip(lower=1),
            orientation="h",
            marker={"color": [TYPE_COLOURS.get(name, PALETTE[0]) for name in names]},
            text=[f"{kept:,} of {total:,}" for kept, total in zip(table["kept"], table["total"], strict=True)],
            textposition="auto",
            insidetextanchor="start",
            textangle=0,
            hovertemplate="%{y}: %{text} kept (%{x:.1f} %)<extra></extra>",
            showlegend=False,
            row=row,
            col=1,
        )
    figure = styled(figure, "What the band keeps", height=190 + 24 * sum(heights))
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(range=[0, 100])
    return figure.update_xaxes(title="kept (% of the group)", row=2, col=1)
