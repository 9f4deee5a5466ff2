"""OOD-I, II and III before and after the filter. Paper Table 3."""

import pandas as pd
import plotly.graph_objects as go

from badood.explore.figures.style import TYPE_COLOURS, styled

_MEANING = {"OOD-I": "OOD-I<br>still the anchor's class", "OOD-II": "OOD-II<br>another class", "OOD-III": "OOD-III<br>not recognisable"}


def ood_types(table: pd.DataFrame) -> go.Figure:
    """Paired bars a type: share of all outliers before, and of the kept ones after the filter.

    Args:
        table: as `evaluate.ood_types.type_table` makes it.
    """
    figure = go.Figure()
    labels = [_MEANING[name] for name in table["ood_type"]]
    for when, opacity, pattern in (("before", 0.45, "/"), ("after", 1.0, "")):
        share = 100 * table[f"{when}_share"]
        figure.add_bar(
            x=labels,
            y=share,
            name=f"{when} ({table[when].sum():,})",
            marker={"color": [TYPE_COLOURS[name] for name in table["ood_type"]], "opacity": opacity, "pattern": {"shape": pattern}},
            text=[f"{value:.1f} %" for value in share],
            textposition="outside",
            cliponaxis=False,
            customdata=table[when],
            hovertemplate="%{x}: %{customdata:,} outliers, %{text}<extra>" + when + "</extra>",
        )
    return styled(
        figure, "What CLIP sees in the outliers, before and after the filter", x="type", y="share of the outliers (%)", barmode="group"
    )
