"""Which outliers the grid shows, and in which order. All of it is in the URL."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.parts.small_histogram import small_histogram
from app.parts.source_filter import source_filter
from badood.core.errors import BadInput
from badood.evaluate.ood_types import TYPES
from badood.explore.finished import Finished, Scale
from badood.explore.queries import Filters, said
from badood.store.verdicts import VERDICTS, Verdict

_SORTS = {
    "id_confidence": "id_confidence",
    "outlier_id": "number",
    "minority_score": "minority score",
    "harm": "harm",
    "disagreement": "disagreement of retrained heads",
    "nearest_cosine": "likeness to a training image",
    "source": "source",
    "anchor_class": "class",
    "ood_type": "type",
    "guidance_scale": "guidance scale",
    "clip_prob": "CLIP's certainty",
    "verdict": "verdict",
}
_ORDERS = ("ascending", "descending")
"""Of scored outliers the most suspicious come first: those that look ID, those that harm."""

_NONE = "none yet"
HARM = (
    "By how much AUROC on held-out images would rise, in millionths, if the last layer were trained without this outlier. "
    "Positive = harmful; told against the mean outlier."
)


@dataclass(frozen=True)
class Wish:
    """What the grid shows.

    Attributes:
        filters: which outliers. sort: by which column. ranks: by outlier_id what to sort by first. descending: largest first.
        verdicts: those with which an outlier is shown; none = with any and without.
        alike: by outlier_id the cosine to the outlier that the shown ones are like; none = they need not be like any.
    """

    filters: Filters
    sort: str
    ranks: dict[int, int] | None
    descending: bool
    verdicts: tuple[Verdict, ...] | None
    alike: dict[int, float] | None


def outlier_filters(found: Finished, verdicts: pd.DataFrame, tagged: pd.DataFrame) -> Wish:
    """Draw the controls that mean something for this run: a column of which nothing is known has none.

    Args:
        verdicts: those that stand, as `store.verdicts.current` gives them. tagged: tags, as `store.tags.current` gives them.
    """
    known = found.outliers.known
    sort, order, confidence = st.columns([2, 1.8, 4], vertical_alignment="bottom", gap="medium")
    several = len(found.sources) > 1
    kind, verdict, *where, more = st.columns([2, 3, *[2.4] * several, 1.3], vertical_alignment="bottom", gap="medium")
    sorted_by = _sorted_by(found, sort)
    direction = order.segmented_control("Order", _ORDERS, default=_ORDERS[found.scored], key="order", required=True, **_bound())
    with confidence:
        if "id_confidence" in known:
            between = _between(found, "id_confidence", "id_confidence", found.outlier_scale, "confidence", "1 looks ID, 0 is far away.")
        else:
            between = None
            st.caption(":material/info: No detector has looked at these outliers yet: they have no id_confidence and no type.")
    types = _types(kind) if "ood_type" in known else ()
    judged = verdict.pills("Verdict", [*VERDICTS, _NONE], selection_mode="multi", key="verdict", **_bound())
    sources = source_filter(found, where[0] if where else None, on_change=_first_page)
    with more.popover("More", icon=":material/filter_alt:", width="stretch"):
        further = _further(found)
        with_tag = _tags(tagged)
        st.button("Clear all filters", on_click=state.clear_grid, width="stretch")
    alike = _alike(found)
    narrowed = [ids for ids in (state.selected_ids(), with_tag, alike and tuple(alike)) if ids is not None]
    filters = Filters(id_confidence=between, ood_type=types, source=sources, **_among(verdicts, judged, narrowed), **further)
    ranks = None
    if alike is not None:
        ranks = {outlier_id: place if direction == _ORDERS[0] else -place for place, outlier_id in enumerate(alike)}
    elif sorted_by == "verdict":
        sorted_by = _sorts(found)[0]  # among equal verdicts
        ranks = dict(zip(verdicts["outlier_id"].astype(int), verdicts["verdict"].map(VERDICTS.index), strict=True))
    staying = tuple(each for each in VERDICTS if each in judged) if judged else None
    return Wish(filters, sorted_by, ranks, direction == _ORDERS[True], staying, alike)


def _alike(found: Finished) -> dict[int, float] | None:
    """By outlier_id the cosine to the outlier that the grid shows the like of, the most alike first; none where it shows any."""
    number = state.like()
    if number is None or not found.has("described"):
        return None
    try:
        table = found.alike(number)
    except BadInput:  # a link from another run
        state.be_like(None)
        return None
    state.like_in_url()
    return dict(zip(table["outlier_id"].tolist(), table["similarity"].tolist(), strict=True))


def _tags(tagged: pd.DataFrame) -> tuple[int, ...] | None:
    """outlier_id of those with any of the tags that are asked for; none where none is."""
    names = sorted(tagged["tag"].unique())
    if not set(state.value("tag") or ()) <= set(names):
        state.forget("tag")
    if not names:
        return None
    chosen = st.multiselect("Tag", names, key="tag", **_bound())
    return tuple(tagged.loc[tagged["tag"].isin(chosen), "outlier_id"].unique().tolist()) if chosen else None


def _sorts(found: Finished) -> list[str]:
    """What this run's outliers can be sorted by, the best first."""
    known = found.outliers.known | {"verdict"}
    return [name for name in _SORTS if name in known and (name != "source" or len(found.sources) > 1)]


def _sorted_by(found: Finished, place: DeltaGenerator) -> str:
    offered = _sorts(found)
    if state.value("sort", offered[0]) not in offered:
        state.forget("sort")  # left over from another run
    return str(place.selectbox("Sort by", offered, format_func=_SORTS.get, key="sort", **_bound()))


def short_type(name: str) -> str:
    """An OOD type as the filter and the address call it."""
    return name.removeprefix("OOD-")


def _types(place: DeltaGenerator) -> tuple[str, ...]:
    chosen = place.pills(
        "Type",
        TYPES,
        selection_mode="multi",
        format_func=short_type,
        key="type",
        help="What CLIP sees. I: still the anchor's class. II: another class. III: nothing it knows.",
        **_bound(),
    )
    return tuple(chosen)


def _further(found: Finished) -> dict[str, Any]:
    """Fields of `Filters` that are rarely wanted."""
    known, fields = found.outliers.known, dict[str, Any]()
    if "anchor_class" in known:
        fields["anchor_class"] = tuple(st.multiselect("Class of the anchor", found.classes, key="class", **_bound()))
    if "clip_label" in known:
        seen = sorted(str(name) for name in found.outliers.mix("clip_label")["clip_label"] if said(name))
        if not set(state.value("clip") or ()) <= set(seen):
            state.forget("clip")
        fields["clip_label"] = tuple(st.multiselect("What CLIP sees", seen, key="clip", **_bound()))
    if "guidance_scale" in known:
        scales = sorted({float(scale) for scale in found.outliers.mix("guidance_scale")["guidance_scale"] if said(scale)})
        if not set(state.value("scale") or ()) <= set(scales):
            state.forget("scale")
        fields["guidance_scale"] = tuple(st.multiselect("Guidance scale", scales, key="scale", **_bound()))
    if "minority_score" in known:
        text = "How badly the diffusion model restores the embedding: high means rare."
        fields["minority_score"] = _between(found, "minority_score", "Minority score", found.minority_scale, "minority", text)
    if "harm" in known:
        fields["harm"] = _between(found, "harm", "Harm", found.harm_scale, "harm", HARM)
    if "nearest_cosine" in known:
        text = "Cosine of its embedding and that of the nearest training image. Near 1: looks like a copy of a training image."
        fields["nearest_cosine"] = _between(found, "nearest_cosine", "Likeness to a training image", found.cosine_scale, "likeness", text)
    if not fields:
        st.caption("Nothing more is known of these outliers.")
    return fields


def _first_page() -> None:
    state.turn_to(1)


def _bound() -> dict[str, Any]:
    """In the URL, kept while other pages are looked at; another choice begins at its first page."""
    return {"bind": "query-params", "persist_state": "session", "on_change": _first_page}


def _between(found: Finished, column: str, label: str, scale: Scale, key: str, text: str) -> tuple[float, float] | None:
    """A slider with two ends over the outliers' part of an axis, under their histogram; None where it lets everything through."""
    whole = (scale.lo, scale.hi)
    if not scale.lo <= min(state.value(key, whole)) <= max(state.value(key, whole)) <= scale.hi:
        state.forget(key)  # left over from another run
    small_histogram(found, column, scale)
    span = st.slider(label, *whole, whole, step=scale.step, format=f"%.{scale.digits}f", key=key, help=text, **_bound())
    return None if span == whole else span


def _among(verdicts: pd.DataFrame, judged: list[str], narrowed: list[tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Fields of `Filters` for those with these verdicts that are in all of `narrowed`."""
    wanted = verdicts["verdict"].isin(judged)
    if judged and _NONE not in judged:
        narrowed = [*narrowed, tuple(verdicts.loc[wanted, "outlier_id"].tolist())]
    fields = {}
    if narrowed:
        fields["outlier_id"] = tuple(sorted(set(narrowed[0]).intersection(*narrowed[1:])))
    if _NONE in judged:  # all but those with another verdict: the judged are fewer than the others
        fields["without"] = tuple(verdicts.loc[~wanted, "outlier_id"].tolist())
    return fields
