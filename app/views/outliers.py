"""The grid: look through the outliers and judge them."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.changing import may_edit, require_editor
from app.components.gallery import gallery
from app.opened import opened
from app.parts.export_menu import export_menu
from app.parts.grid_looks import grid_looks
from app.parts.header import page_head
from app.parts.outlier_detail import outlier_detail
from app.parts.outlier_filters import Wish, outlier_filters
from app.server import addresses, read_ahead
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.explore.gallery import Act, Looks, Shown, paged, tiles, write
from badood.explore.queries import Filters
from badood.explore.reviewers import agreement
from badood.store import open_database, tags
from badood.store import verdicts as judging

_PAGE = 60
_DONE = {"keep": "Kept", "reject": "Rejected", "unsure": "Marked unsure:"}


def page() -> None:
    found = page_head(
        "Outliers",
        "Images that are meant to lie outside of the ID classes. The number is id_confidence: high ones look like ID images and may "
        "harm the detector; sorted by harm, it is the estimated harm. Click to pick, double-click for details, or use the keys.",
        early=True,
    )
    try:
        state.take_linked_selection(found)
    except BadInput as error:
        st.warning(str(error), icon=":material/link_off:")
    st.fragment(_outliers, key="outliers")(found)


def _outliers(found: Finished) -> None:
    state.speak()
    verdicts = judging.current(open_database(), found.run.id)
    wish = outlier_filters(found, verdicts, tags.current(open_database(), found.run.id))
    count = found.outliers.count(wish.filters)
    looks = _numbers(found, wish, verdicts, count)
    if not count:
        st.info("No outlier passes these filters. Clear some of them under **More**.", icon=":material/filter_alt_off:")
        return
    st.fragment(_grid)(found, wish, count, verdicts, looks)


def _grid(found: Finished, wish: Wish, count: int, verdicts: pd.DataFrame, looks: Looks) -> None:
    """One page of tiles. A fragment of its own: turning the page need not draw the filters again."""
    last = ceil(count / _PAGE)
    page = min(state.page(), last)
    state.turn_to(page)
    blind = bool(state.value("blind"))
    # the neighbours come along, so that they are there before anyone turns to them
    first = max(1, page - 1)
    rows = found.outliers.page(
        wish.filters,
        sort="outlier_id" if blind else wish.sort,
        descending=wish.descending and not blind,
        ranks=None if blind else wish.ranks,
        group=None if blind else looks.group,
        offset=(first - 1) * _PAGE,
        limit=(page + 2 - first) * _PAGE,
    )
    read_ahead(found, rows["outlier_id"].tolist())
    drawn = tiles(rows, verdicts, looks, addresses(found), marked=_marks(wish), alike=wish.alike)
    if blind:
        own = judging.of_each(open_database(), found.run.id).query("who == @me", local_dict={"me": state.who()})
        given = dict(zip(own["outlier_id"], own["verdict"], strict=True))
        hidden = {"mark": "", "kind": "", "colour": "transparent", "caption": "", "group": "", "beside": ()}
        drawn = [replace(tile, **hidden, verdict=given.get(tile.id, "")) for tile in drawn]
    asked = {"open": state.look_at} | ({"like": _more_like} if found.has("described") and not blind else {})
    shown = Shown(
        near=paged(drawn, first, _PAGE),
        run=found.run.id,
        page=page,
        last=last,
        kinds={} if blind else looks.tints,
        marks=_marks(wish),
        alone=looks.alone,
        side=looks.side,
        size=_PAGE,
        count=count,
        staying=wish.verdicts,
        undoable=state.who() in set(verdicts["who"]),
        asks=list(asked),
        judges=may_edit(),
    )
    gallery(shown, key="gallery", acted=_acted, redraw=_redraw, turned=state.turn_to, asked=asked)
    opened = state.looked_at()
    if opened is not None:
        outlier_detail(found, opened)


def _more_like(outlier_id: int) -> None:
    """Show the outliers that are most alike to one, from the first page on."""
    state.be_like(outlier_id)
    state.turn_to(1)
    _redraw()


def _redraw() -> None:
    """What was done concerns the filters and numbers above the grid too."""
    st.rerun("outliers")


def _marks(wish: Wish) -> str:
    """What stands in the corner of a tile."""
    return "cosine" if wish.alike is not None else "harm" if wish.sort == "harm" else "id_confidence"


def _numbers(found: Finished, wish: Wish, verdicts: pd.DataFrame, count: int) -> Looks:
    """How many there are and were judged, what to do with all of them, and how they are shown."""
    filters, chosen, like = wish.filters, state.selected_ids(), state.like()
    given = verdicts["verdict"].value_counts()
    said = ", ".join(f"{given.get(verdict, 0):,} {verdict}" for verdict in judging.VERDICTS)
    st.markdown(f"**{count:,}** of {len(found.outliers):,} outliers · {len(verdicts):,} judged ({said})")
    with st.container(horizontal=True, vertical_alignment="center"):
        if chosen is not None:
            st.button(f"Selection of {len(chosen):,}", icon=":material/close:", on_click=state.select_ids, args=(None,))
        if wish.alike is not None:
            st.button(f"Like outlier {like}, by cosine", icon=":material/close:", key="unlike", on_click=state.be_like, args=(None,))
        looks = grid_looks(found)
        people = st.popover("Reviewers", icon=":material/group:", key="reviewers", on_change="rerun")
        with people:
            _reviewers(found, compare=bool(people.open))
        with st.popover("Judge all", icon=":material/gavel:", disabled=not count or not may_edit()):
            _judge_all(found, filters, count, undoable=not verdicts.empty)
        export_menu(found, lambda: found.outliers.ids(filters), count, band=filters.id_confidence, key="grid")
    return looks


def _judge_all(found: Finished, filters: Filters, count: int, *, undoable: bool) -> None:
    """One verdict, or one tag, for all that the filters leave."""
    st.caption(f"One verdict for all {count:,} outliers that the filters leave. Undo takes it back at once.")
    for verdict in judging.VERDICTS:
        st.button(
            f"{verdict.capitalize()} all {count:,}",
            key=f"all {verdict}",
            on_click=lambda verdict=verdict: _judge(found, found.outliers.ids(filters), verdict),
            width="stretch",
        )
    st.button("Undo the newest verdict", key="undo", on_click=_undo, args=(found,), disabled=not undoable, width="stretch")
    st.text_input("Tag", key="tag all", placeholder="a word to find them by", max_chars=tags.LONGEST)
    st.button(
        f"Tag all {count:,}",
        key="put tag",
        icon=":material/label:",
        on_click=lambda: _tag(found, found.outliers.ids(filters)),
        disabled=not state.value("tag all"),
        width="stretch",
    )


def _tag(found: Finished, ids: np.ndarray) -> None:
    try:
        require_editor()
        tags.put(open_database(), found.run.id, ids.tolist(), state.value("tag all"), who=state.who())
    except BadInput as error:
        state.say(str(error), ":material/error:")
        return
    state.put("tag all", "")


def _reviewers(found: Finished, *, compare: bool) -> None:
    """Who judges, whether blindly, and how far people agree; that only where somebody looks, for it reads every verdict."""
    if not state.logged_in():
        st.text_input(
            "Your name",
            key="reviewer",
            max_chars=100,
            help="Stands beside your verdicts, so that those of several people can be told apart.",
            bind="query-params",
            persist_state="session",
        )
    st.toggle(
        "Judge blind",
        key="blind",
        help="Hides scores, types, classes and other people's verdicts, and shows the outliers by number.",
        bind="query-params",
        persist_state="session",
    )
    if not compare:
        return
    pairs = agreement(judging.of_each(open_database(), found.run.id))
    if pairs.empty:
        st.caption("No two people have judged the same outlier yet.")
        return
    st.caption("Outliers that two people judged. Kappa (Cohen) is 1 where they always say the same, 0 where as often as by chance.")
    st.dataframe(
        pairs,
        hide_index=True,
        key="agreement",
        column_config={
            "same": st.column_config.NumberColumn("same verdict", format="percent"),
            "kappa": st.column_config.NumberColumn(format="%.2f"),
        },
    )


def _acted(acts: Sequence[Act]) -> None:
    """Write down what was done in the grid, each act once and in order."""
    for act in acts:
        try:
            require_editor()
            back = write(act, opened(act.run), who=state.who(), browser=state.only_browser())
        except BadInput as error:  # told, and not told again: the browser would repeat it for ever
            state.say(str(error), ":material/error:")
        else:
            if act.verdict is None:
                _say_back(back)
    if len(acts) > 1:
        state.say(f"{len(acts):,} verdicts are saved.", ":material/check:")
    elif acts and acts[0].verdict is not None:
        state.say(_done(acts[0].verdict, len(acts[0].ids)), ":material/check:")


def _done(verdict: judging.Verdict, count: int) -> str:
    return f"{_DONE[verdict]} {count:,} {'outlier' if count == 1 else 'outliers'}. Z takes it back."


def _judge(found: Finished, ids: "Sequence[int] | np.ndarray", verdict: judging.Verdict) -> None:
    require_editor()
    judging.give(open_database(), found.run.id, ids, verdict, who=state.who(), origin=state.new_act())
    state.say(_done(verdict, len(ids)), ":material/check:")


def _undo(found: Finished) -> None:
    require_editor()
    act = judging.undo(open_database(), found.run.id, who=state.who(), browser=state.only_browser(), origin=state.new_act())
    _say_back(None if act is None else act.verdict)


def _say_back(verdict: str | None) -> None:
    state.say("Nothing to take back." if verdict is None else f"Took back the verdict “{verdict}”.", ":material/undo:")
