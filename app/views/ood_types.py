"""What CLIP recognises in the outliers."""

import pandas as pd
import streamlit as st

from app import state
from app.parts.examples import outlier, strip
from app.parts.export_menu import export_menu
from app.parts.header import page_head
from app.parts.outlier_filters import short_type
from app.parts.source_filter import source_filter
from badood.evaluate.ood_types import TYPES
from badood.explore import figures
from badood.explore.finished import Finished
from badood.explore.queries import Filters

_SEEN = 20
"""Columns of the matrix of CLIP's labels."""

_MEANING = {
    "OOD-I": "Still looks like the class it came from, or, without an anchor, like an ID class: a covariate shift, such as another style.",
    "OOD-II": "Looks like another class: a semantic shift.",
    "OOD-III": "Nothing recognisable: no class reaches tau.",
}


def page() -> None:
    found = page_head(
        "Types",
        "CLIP, a model that matches images with words, names what it sees in each outlier. That gives three types. Whether the band leaves out one "
        "of them more often than another stands below the table.",
    )
    st.fragment(_types)(found)


def _types(found: Finished) -> None:
    band = state.band(found)
    limits = band.limits(found)
    only = source_filter(found)
    left, right = st.columns([2, 3], gap="large")
    with left:
        if state.value("tau of") != found.run.id:
            state.put("tau of", found.run.id)
            state.forget("tau")  # every run has its own
        tau = st.slider(
            "tau: least probability to count as recognised",
            0.0,
            1.0,
            found.tau,
            0.005,
            format="%.3f",
            key="tau",
            bind="query-params",
            persist_state="session",
            help=f"The run chose {found.tau:.3f}: {100 * found.run.cfg.clip.recognised:.0f} % of the labelled images that CLIP names rightly "
            "reach it.",
        )
        st.caption(f"Band {limits[0]:.4g} to {limits[1]:.4g} in id_confidence, as set on the page Band.")
        table = found.type_table_at(tau, limits, only)
        shown = table[["ood_type", "before", "after", "before_share", "after_share"]]
        st.dataframe(
            shown.assign(before_share=100 * table["before_share"], after_share=100 * table["after_share"]),
            hide_index=True,
            column_config={
                "ood_type": "type",
                "before": "all",
                "after": "in the band",
                "before_share": st.column_config.NumberColumn("of all", format="%.1f %%"),
                "after_share": st.column_config.NumberColumn("of the band", format="%.1f %%"),
            },
        )
        there = table[table["before"] > 0]
        rates = ", ".join(
            f"{row.ood_type} {100 * row.removed_share:.0f} % ({100 * row.removed_lo:.0f} to {100 * row.removed_hi:.0f})"
            for row in there.itertuples()
        )
        apart = there["removed_lo"].max() > there["removed_hi"].min()
        st.caption(f"The band leaves out, with 95 % intervals: {rates}.{'' if apart else ' These rates are not distinguishable.'}")
        filters = Filters(id_confidence=limits, source=only)
        export_menu(found, lambda: found.outliers.ids(filters), found.outliers.count(filters), band=limits, key="types")
    right.plotly_chart(figures.ood_types(table), key="ood types", config={"displaylogo": False})
    if len(found.sources) > 1:
        _by_source(found, tau, limits)
    _matrices(found, limits, only)
    _examples(found, tau, limits, only)


def _matrices(found: Finished, limits: tuple[float, float], only: tuple[str, ...]) -> None:
    """Counts whose cells open the grid; types as the run's own tau has them, as in the grid."""
    st.header("Where they lie")
    st.caption("Click a cell to see its outliers in the grid.")
    span = found.outlier_scale
    pieces = {"below the band": (span.lo, limits[0]), "in the band": limits, "above the band": (limits[1], span.hi)}
    below, above = (found.outliers.count(Filters(source=only, id_confidence=pieces[name])) for name in ("below the band", "above the band"))
    parts = {name: piece for name, piece in pieces.items() if name == "in the band" or (below if name.startswith("below") else above)}
    columns = {
        name: found.outliers.mix("ood_type", Filters(source=only, id_confidence=piece)).set_index("ood_type")["count"]
        for name, piece in parts.items()
    }
    by_band = pd.DataFrame(columns).reindex(TYPES).fillna(0).astype(int).rename_axis("type")
    picked = _picked(by_band, "type by band")
    if picked is not None:
        kind, part = picked
        lo, hi = (min(max(end, span.lo), span.hi) for end in parts[part])
        state.show_in_grid(type=short_type(kind), confidence=[f"{lo:.9g}", f"{hi:.9g}"], source=list(only))
    if not {"anchor_class", "clip_label"} <= found.outliers.known:
        return
    seen = found.outliers.matrix("anchor_class", "clip_label", Filters(source=only)).rename_axis("anchor")
    most = seen.sum().nlargest(_SEEN).index
    rest = f" The {_SEEN} most frequent of {seen.shape[1]:,}." if seen.shape[1] > _SEEN else ""
    st.markdown("**Class of the anchor (rows) and what CLIP sees (columns)**")
    picked = _picked(seen[most], "anchor by label")
    st.caption(f"On the diagonal the outlier is still of its anchor's class.{rest}")
    if picked is not None:
        anchor, label = picked
        state.show_in_grid(**{"class": anchor, "clip": label, "source": list(only)})


def _picked(table: pd.DataFrame, key: str) -> tuple[str, str] | None:
    """Row and column of the cell that was clicked; none where none was, or it counts none."""
    drawn = st.dataframe(table, key=key, on_select="rerun", selection_mode="single-cell")
    for row, column in drawn["selection"]["cells"]:
        if column in table.columns and table.iloc[row][column]:
            return str(table.index[row]), str(column)
    return None


def _by_source(found: Finished, tau: float, limits: tuple[float, float]) -> None:
    """The types of every source, all of it and inside the band."""
    st.markdown("**By source**")
    table = found.types_by_source(tau, limits)
    shares = [name for name in table if name not in ("source", "outliers", "inside")]
    formats = {name: st.column_config.NumberColumn(name.replace(" inside", " of the band"), format="%.1f %%") for name in shares}
    counts = {
        name: st.column_config.NumberColumn(label, format="localized") for name, label in (("outliers", "all"), ("inside", "in the band"))
    }
    shown = table.assign(**{name: 100 * table[name] for name in shares})
    st.dataframe(shown, hide_index=True, column_config=counts | formats, key="types by source")


def _examples(found: Finished, tau: float, limits: tuple[float, float], only: tuple[str, ...]) -> None:
    inside = st.toggle("Examples from the band only", key="types inside")
    st.caption("In the corner id_confidence, below what CLIP sees and how sure it is.")
    for name, rows in found.type_examples(tau, limits if inside else (0.0, 1.0), source=only).items():
        st.markdown(f"**{name}.** {_MEANING[name]}")
        strip(
            (outlier(found, row, caption=f"{row.clip_label} {100 * row.clip_prob:.1f} %") for row in rows.itertuples()),
            side=92,
            empty="No outlier of this type here.",
        )
