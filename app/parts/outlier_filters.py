"""Which outliers the grid shows, and in which order. All of it is in the URL."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from badood.evaluate.ood_types import TYPES
from badood.explore.finished import Finished, Scale
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
    "verdict": "verdict",
}
_NONE = "none yet"


@dataclass(frozen=True)
class Wish:
    """What the grid shows.

    Attributes:
        filters: which outliers. sort: by which column. ranks: by outlier_id what to sort by first. descending: largest first.
    """

    filters: Filters
    sort: str
    ranks: dict[int, int] | None
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
    with confidence:
        between = _between("id_confidence", found.outlier_scale, "confidence", "1 looks ID, 0 is far away.")
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
        text = "How badly the diffusion model restores the embedding: high means rare."
        rare = _between("Minority score", found.minority_scale, "minority", text)
        st.button("Clear all filters", on_click=_clear, width="stretch")
    filters = Filters(
        id_confidence=between,
        minority_score=rare,
        anchor_class=tuple(classes),
        ood_type=tuple(types),
        guidance_scale=tuple(scales),
        outlier_id=_among(found, verdicts, judged),
    )
    ranks = None
    if sorted_by == "verdict":
        sorted_by = "id_confidence"  # among equal verdicts
        ranks = dict(zip(verdicts["outlier_id"].astype(int), verdicts["verdict"].map(VERDICTS.index), strict=True))
    return Wish(filters, sorted_by, ranks, direction == "falling")


def _bound() -> dict[str, object]:
    """In the URL, kept while other pages are looked at; another choice begins at its first page."""
    return {"bind": "query-params", "persist_state": "session", "on_change": lambda: state.turn_to(1)}


def _between(label: str, scale: Scale, key: str, text: str) -> tuple[float, float] | None:
    """A slider with two ends over the outliers' part of an axis; None where it lets everything through."""
    whole = (scale.lo, scale.hi)
    if not scale.lo <= min(state.value(key, whole)) <= max(state.value(key, whole)) <= scale.hi:
        state.forget(key)  # left over from another run
    span = st.slider(label, *whole, whole, step=scale.step, format=f"%.{scale.digits}f", key=key, help=text, **_bound())
    return None if span == whole else span


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
    state.turn_to(1)
