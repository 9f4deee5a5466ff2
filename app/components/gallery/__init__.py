"""The grid of outliers on a page. Streamlit has no grid that takes keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from app import state
from badood.explore.gallery import CSS, HTML, JS, Act, Heard, Shown, acts

_SHELF = "badood acts"
_PAGE_JS = (Path(__file__).parent / "page.js").read_text()


def gallery(
    shown: Shown,
    *,
    key: str,
    acted: Callable[[Sequence[Act]], None],
    redraw: Callable[[], None],
    turned: Callable[[int], None],
    asked: Mapping[str, Callable[[int], None]],
) -> None:
    """Draw the grid. What a person does is told before the page is drawn anew.

    Streamlit may lose what is told while it draws, so the browser tells again what was not heard: turns, openings and, over a reload too, acts.
    One act may thus be told twice.

    Args:
        acted: told what was done, in order, to write it down. redraw: called thereafter. turned: told the number of the page to go to.
        asked: for each of `shown.asks`, told the outlier's id.
    """

    def heard() -> None:
        said: Mapping[str, Any] = state.value(key)["told"]
        state.be_browser(str(said["browser"]))
        if said["page"] is not None:
            turned(int(said["page"]))
        acted(acts(said))
        # an error above leaves it unheard, and it is told again. Part of the data: the browser knows by it which drawing answers what it has
        # shown ahead, and draws anew also where nothing else differs, as after a verdict that was taken back before its own drawing arrived
        state.put(f"{key} heard", said["at"])
        state.put(f"{key} written", [each["id"] for each in said["acts"]])
        if said["asked"] is not None:
            asked[said["asked"]["what"]](int(said["asked"]["id"]))
        if said["acts"]:
            redraw()

    answer = Heard(shelf=_SHELF, browser=state.browser(), heard=state.value(f"{key} heard", 0), written=state.value(f"{key} written", []))
    component = st.components.v2.component("gallery", html=HTML, css=CSS, js=JS + _PAGE_JS)
    component(data=asdict(shown) | asdict(answer), key=key, on_told_change=heard)
