"""How the grid shows its outliers: size, groups, borders, and views that people keep. None of it says which ones."""

import streamlit as st

from app import state
from app.changing import may_edit, require_editor
from badood.explore.figures.style import TYPE_COLOURS, source_colours
from badood.explore.finished import Finished
from badood.explore.gallery import Looks
from badood.store import open_database, views

_GROUPS = {
    "anchor_class": "class of the anchor",
    "class_name": "class",
    "clip_label": "what CLIP sees",
    "ood_type": "type",
    "source": "source",
}


def grid_looks(found: Finished) -> Looks:
    """Draw the controls of how the outliers are shown. None of them says which."""
    bound = {"bind": "query-params", "persist_state": "session"}
    alone = st.toggle(
        "One at a time",
        key="alone",
        help="Large, beside its anchor and the nearest training image. A verdict by key goes on to the next one.",
        **bound,
    )
    with st.popover("View", icon=":material/tune:"):
        anchors = "anchor_row" in found.outliers.known and st.toggle("Show anchors", key="anchors", **bound)
        side = st.slider("Size of the images in px", 72, 256, 102, 2, key="size", **bound)
        offered = [name for name in _GROUPS if name in found.outliers.known and (name != "source" or len(found.sources) > 1)]
        if state.value("group") not in (None, *offered):
            state.forget("group")  # left over from another run
        group = st.selectbox("Group by", offered, index=None, format_func=_GROUPS.get, placeholder="not grouped", key="group", **bound)
        by = {"type": TYPE_COLOURS} if found.scored else {}
        if len(found.sources) > 1:
            by["source"] = source_colours(found.sources)
        shown = next(iter(by), None)
        if len(by) > 1:
            shown = st.segmented_control("Colour of the border", list(by), default="type", required=True, key="border", **bound)
        _views(found)
    return Looks(anchors, alone, side, group, by[shown] if shown else {})


def _views(found: Finished) -> None:
    """Views that were kept: what the grid shows and how, under a name."""
    st.divider()
    for name, view in views.saved(open_database(), found.run.id).items():
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.button(name, icon=":material/bookmark:", key=f"view {name}", on_click=state.show_view, args=(view,), width="stretch")
        text = f"Forget the view “{name}”."
        right.button("", icon=":material/delete:", key=f"drop view {name}", help=text, on_click=_drop_view, args=(found, name))
    st.text_input("Keep this view as", key="view name", placeholder="a name", max_chars=views.LONGEST)
    st.button(
        "Keep",
        key="keep view",
        icon=":material/bookmark_add:",
        on_click=_keep_view,
        args=(found,),
        disabled=not state.value("view name") or not may_edit(),
    )


def _keep_view(found: Finished) -> None:
    require_editor()
    views.save(open_database(), found.run.id, state.value("view name"), state.grid_view(), who=state.who())
    state.put("view name", "")


def _drop_view(found: Finished, name: str) -> None:
    require_editor()
    views.drop(open_database(), found.run.id, name)
