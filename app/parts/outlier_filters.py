"""Which outliers the grid shows, and in which order. All of it is in the URL."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from badood.evaluate.ood_types import TYPES
from badood.explore.finished import Finished
from badood.explore.queries import Filters
from badood.store.verdicts import VERDICTS

_SORTS = {
    "id_confidence": "id_confidence",
    "minority_score": "minority score",
    "anchor_class": "class",
    "ood_type": "type",
    "guidance_scale": "guidance scale",
    "clip_prob": "CLIP's certainty",
    "outlier_id": "number",
}
_NONE = "none yet"


@dataclass(frozen=True)
class Wish:
    """What the grid shows.

    Attributes:
        filters: which outliers. sort: by which column. descending: largest first.
    """

    filters: Filters
    sort: str
    descending: bool


def outlier_filters(found: Finished, verdicts: pd.DataFrame) -> Wish:
    """Draw the controls.

    Args:
        verdicts: those that stand, as `store.verdicts.current` gives them.
    """
    sort, order, confidence = st.columns([2, 1.8, 4], vertical_alignment="bottom", gap="medium")
    kind, verdict, more = st.columns([2, 3, 1.3], vertical_alignment="bottom", gap="medium")
    sorted_by = sort.selectbox("Sort by", list(_SORTS), format_func=_SORTS.get, key="sort", **_bound())
    direction = order.segmented_control("Order", ["rising", "falling"], default="rising", key="order", required=True, **_bound())
    between = confidence.slider("id_confidence", 0.0, 1.0, (0.0, 1.0), step=0.01, key="confidence", **_bound())
    types = kind.pills(
        "Type",
        TYPES,
        selection_mode="multi",
        format_func=lambda name: name.removeprefix("OOD-"),
        key="type",
        help="What CLIP sees. I: still the anchor's class. II: another class. III: nothing it knows.",
        **_bound(),
    )
    judged = verdict.pills("Verdict", [*VERDICTS, _NONE], selection_mode="multi", key="verdict", **_bound())
    with more.popover("More", icon=":material/filter_alt:", width="stretch"):
        classes = st.multiselect("Class of the anchor", found.classes, key="class", **_bound())
        scales = st.multiselect("Guidance scale", sorted(found.run.cfg.synthesise.scales), key="scale", **_bound())
        rare = _minority(found)
        st.button("Clear all filters", on_click=_clear, width="stretch")
    filters = Filters(
        id_confidence=None if between == (0.0, 1.0) else between,
        minority_score=rare,
        anchor_class=tuple(classes),
        ood_type=tuple(types),
        guidance_scale=tuple(scales),
        outlier_id=_among(found, verdicts, judged),
    )
    return Wish(filters, sorted_by, direction == "falling")


def _bound() -> dict[str, object]:
    """In the URL, kept while other pages are looked at; another choice begins at its first page."""
    return {"bind": "query-params", "persist_state": "session", "on_change": lambda: state.put("page", 1)}


def _minority(found: Finished) -> tuple[float, float] | None:
    scores = found.outliers.values("minority_score")
    least, most = floor(100 * scores.min()) / 100, ceil(100 * scores.max()) / 100
    if least == most:
        return None
    span = st.slider(
        "Minority score",
        least,
        most,
        (least, most),
        key="minority",
        help="How badly the diffusion model restores the embedding: high means rare.",
        **_bound(),
    )
    return None if span == (least, most) else span


def _among(found: Finished, verdicts: pd.DataFrame, judged: list[str]) -> tuple[int, ...] | None:
    """outlier_id of those with these verdicts and inside what another page selected; None = all."""
    chosen = state.selected_ids()
    if not judged:
        return chosen
    ids = verdicts.loc[verdicts["verdict"].isin(judged), "outlier_id"].to_numpy(np.int64)
    if _NONE in judged:
        ids = np.union1d(ids, np.setdiff1d(found.outliers.ids(Filters()), verdicts["outlier_id"]))
    if chosen is not None:
        ids = np.intersect1d(ids, chosen)
    return tuple(ids.tolist())


def _clear() -> None:
    state.forget("confidence", "type", "verdict", "class", "scale", "minority")
    state.select_ids(None)
    state.put("page", 1)
