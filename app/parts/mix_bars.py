"""Which groups of outliers a band keeps, as bars of plain HTML: they move with the band, and a plot takes ten times as long to draw."""

import html
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from badood.explore.figures.style import PALETTE, TYPE_COLOURS
from badood.explore.queries import said

_LONGEST = 28
"""Letters of a name that are shown."""

_STYLE = """<style>
.bad-mix{display:grid;grid-template-columns:max-content 1fr max-content;gap:4px 10px;align-items:center;font-size:.84rem}
.bad-mix .bar{height:12px;border-radius:3px;background:color-mix(in srgb,currentColor 12%,transparent);overflow:hidden}
.bad-mix .bar i{display:block;height:100%}
.bad-mix .count{text-align:right;font-variant-numeric:tabular-nums;opacity:.85}
</style>"""


def mix_bars(title: str, table: pd.DataFrame, most: int = 12, tints: Mapping[str, str] = TYPE_COLOURS) -> None:
    """A bar a group; a full one is kept whole.

    Args:
        title: over the bars. table: as `Outliers.kept_mix` makes it. most: groups shown, those with the most kept outliers first.
        tints: colours of groups that have one elsewhere.
    """
    by = str(table.columns[0])
    shown = table.nlargest(most, "kept") if len(table) > most else table
    names = [str(name) if said(name) else "none" for name in shown[by]]
    rows = "".join(
        _row(name, int(row.kept), int(row.total), tints.get(name, PALETTE[0])) for name, row in zip(names, shown.itertuples(), strict=True)
    )
    rest = f" (the {most} largest of {len(table):,})" if len(table) > most else ""
    st.html(f'{_STYLE}<p style="margin:6px 0"><b>{html.escape(title)}</b>{rest}</p><div class="bad-mix">{rows}</div>')


def _row(name: str, kept: int, total: int, colour: str) -> str:
    share = 100 * kept / max(1, total)
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
    return (
        f'<span title="{html.escape(name, quote=True)}">{html.escape(shown)}</span><div class="bar"><i style="width:{share:.1f}%;background:{colour}"></i></div>'
        f'<span class="count">{kept:,} of {total:,}</span>'
    )
