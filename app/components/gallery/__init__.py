"""The grid of outliers: pick many, judge by button or key, open one. Streamlit has no grid that takes keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app import state

_HTML, _CSS, _JS = ((Path(__file__).parent / f"gallery.{kind}").read_text() for kind in ("html", "css", "js"))


@dataclass(frozen=True)
class Tile:
    """An outlier of the grid.

    Attributes:
        id: outlier_id. url: of its image. anchor: address of its anchor's image, shown under it; none = not shown.
        mark: text of the upper right corner. caption: under the image. kind: OOD type. colour: of the border.
        verdict: keep, reject, unsure or "".
    """

    id: int
    url: str
    anchor: str | None
    mark: str
    caption: str
    kind: str
    colour: str
    verdict: str


def gallery(
    tiles: Sequence[Tile],
    *,
    ahead: Sequence[str],
    pages: tuple[int, int],
    kinds: Mapping[str, str],
    undoable: bool,
    key: str,
    judged: Callable[[Sequence[int], Any], None],
    undone: Callable[[], None],
    turned: Callable[[int], None],
    opened: Callable[[int], None],
) -> None:
    """Draw the grid. What a person does is told before the page is drawn anew.

    Args:
        tiles: of one page. ahead: addresses of images that may be wanted next. pages: number of this page, from 1, and of all. kinds: colour by OOD type, for the legend. undoable: whether there is a verdict to take back.
        judged: told of outliers and their verdict. undone: told that the newest verdict is taken back.
        turned: told the number of the page to go to. opened: told of the outlier to show in full.
    """

    def said(name: str) -> Any:
        return state.value(key)[name]

    component = st.components.v2.component("gallery", html=_HTML, css=_CSS, js=_JS)
    component(
        data={
            "tiles": [asdict(tile) for tile in tiles],
            "ahead": list(ahead),
            "page": pages[0],
            "pages": pages[1],
            "kinds": dict(kinds),
            "undoable": undoable,
        },
        key=key,
        on_judged_change=lambda: judged(said("judged")["ids"], said("judged")["verdict"]),
        on_undone_change=undone,
        on_turned_change=lambda: turned(int(said("turned")["page"])),
        on_opened_change=lambda: opened(int(said("opened")["id"])),
    )
