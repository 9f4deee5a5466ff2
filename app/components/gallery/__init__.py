"""The grid of outliers: pick many, judge by button or key, open one. Streamlit has no grid that takes keys."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app import state
from badood.store.verdicts import Verdict

_ID = re.compile(r"[0-9a-f]{32}:[0-9a-f]{32}")
_HTML, _CSS, _JS = ((Path(__file__).parent / f"gallery.{kind}").read_text() for kind in ("html", "css", "js"))


@dataclass(frozen=True)
class Act:
    """What a person did, as the browser keeps it until it hears that it was written down.

    Attributes:
        id: of this act alone. run: the run that it was done on. ids: outliers. verdict: theirs; none = the newest verdict is taken back.
    """

    id: str
    run: str
    ids: tuple[int, ...]
    verdict: Verdict | None


@dataclass(frozen=True)
class Beside:
    """An image to compare an outlier with. url: of the image. text: what it is."""

    url: str
    text: str


@dataclass(frozen=True)
class Tile:
    """An outlier of the grid.

    Attributes:
        beside: images that stand beside it where it is shown alone.
        id: outlier_id. url: of its image. anchor: address of its anchor's image, shown under it; none = not shown.
        mark: text of the upper right corner, or "". caption: under the image. kind: OOD type and source. colour: of the border.
        verdict: keep, reject, unsure or "". group: heading over the first tile of its group, or "".
    """

    id: int
    url: str
    anchor: str | None
    mark: str
    caption: str
    kind: str
    colour: str
    verdict: str
    group: str = ""
    beside: tuple[Beside, ...] = ()


def gallery(
    pages: Mapping[int, Sequence[Tile]],
    *,
    run: str,
    page: int,
    last: int,
    kinds: Mapping[str, str],
    marks: str,
    alone: bool,
    side: int,
    size: int,
    count: int,
    staying: Sequence[Verdict] | None,
    undoable: bool,
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
        pages: tiles by number of the page, from 1: those of `page` and of its neighbours, so that a turn to these is drawn at once.
        run: whose outliers these are. page: which one to show. last: number of the last page. kinds: colours of the borders by name, for the legend.
        marks: what the mark of a tile is.
        alone: show one outlier at a time, large. side: least width of a tile in px. size: outliers a page. count: of them in all.
        staying: verdicts with which an outlier stays in the list; none = whatever its verdict.
        undoable: whether there is a verdict to take back.
        acted: told what was done, in order, to write it down. redraw: called thereafter. turned: told the number of the page to go to.
        asked: what can be asked of one outlier, told its id: "open" (show it in full) and, where it can be answered, "like" (show those like it).
    """

    def heard() -> None:
        said: Mapping[str, Any] = state.value(key)["told"]
        state.be_browser(str(said["browser"]))
        if said["page"] is not None:
            turned(int(said["page"]))
        acts = [Act(str(each["id"]), str(each["run"]), tuple(map(int, each["ids"])), each["verdict"]) for each in said["acts"]]
        acted([each for each in acts if _ID.fullmatch(each.id)])
        # an error above leaves it unheard, and it is told again. Part of the data: the browser knows by it which drawing answers what it has
        # shown ahead, and draws anew also where nothing else differs, as after a verdict that was taken back before its own drawing arrived
        state.put(f"{key} heard", said["at"])
        state.put(f"{key} written", [each.id for each in acts])
        if said["asked"] is not None:
            asked[said["asked"]["what"]](int(said["asked"]["id"]))
        if acts:
            redraw()

    component = st.components.v2.component("gallery", html=_HTML, css=_CSS, js=_JS)
    component(
        data={
            "near": {str(number): [asdict(tile) for tile in tiles] for number, tiles in pages.items()},
            "run": run,
            "browser": state.browser(),
            "written": state.value(f"{key} written", []),
            "alone": alone,
            "side": side,
            "asks": list(asked),
            "size": size,
            "count": count,
            "staying": staying,
            "page": page,
            "last": last,
            "heard": state.value(f"{key} heard", 0),
            "kinds": dict(kinds),
            "marks": marks,
            "undoable": undoable,
        },
        key=key,
        on_told_change=heard,
    )
