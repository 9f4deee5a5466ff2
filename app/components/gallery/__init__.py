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
        mark: text of the upper right corner, or "". caption: under the image. kind: OOD type and source. colour: of the border.
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
    pages: Mapping[int, Sequence[Tile]],
    *,
    page: int,
    last: int,
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
        pages: tiles by number of the page, from 1: those of `page` and of its neighbours, so that a turn to these is drawn at once.
        page: which one to show. last: number of the last page. kinds: colours of the borders by name, for the legend.
        undoable: whether there is a verdict to take back.
        judged: told of outliers and their verdict. undone: told that the newest verdict is taken back.
        turned: told the number of the page to go to. opened: told of the outlier to show in full.
    """

    def telling(name: str, tell: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        def heard() -> None:
            said = state.value(key)[name]
            # part of the data: the browser knows by it which drawing answers what it has shown ahead, and draws anew also where
            # nothing else differs, as after a verdict that was taken back before its own drawing arrived
            state.put(f"{key} heard", said["at"])
            tell(said)

        return heard

    component = st.components.v2.component("gallery", html=_HTML, css=_CSS, js=_JS)
    component(
        data={
            "near": {str(number): [asdict(tile) for tile in tiles] for number, tiles in pages.items()},
            "page": page,
            "last": last,
            "heard": state.value(f"{key} heard", 0),
            "kinds": dict(kinds),
            "undoable": undoable,
        },
        key=key,
        on_judged_change=telling("judged", lambda said: judged(said["ids"], said["verdict"])),
        on_undone_change=telling("undone", lambda _: undone()),
        on_turned_change=telling("turned", lambda said: turned(int(said["page"]))),
        on_opened_change=telling("opened", lambda said: opened(int(said["id"]))),
    )
