"""The grid of outliers: pick many, judge by button or key, look at one. The dashboard and the widget of notebooks draw it with this code.

`gallery.js` draws what `Shown` and `Heard` say, and tells what a person does as a message that `acts` reads.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from badood.core.errors import BadInput
from badood.explore.figures.style import mark_text
from badood.explore.finished import Finished
from badood.explore.queries import origin, said
from badood.store import open_database, verdicts
from badood.store.verdicts import Verdict

HTML, CSS, JS = ((Path(__file__).parent / f"gallery.{kind}").read_text() for kind in ("html", "css", "js"))

_ID = re.compile(r"[0-9a-f]{32}:[0-9a-f]{32}")


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


@dataclass(frozen=True)
class Looks:
    """How the outliers are shown.

    Attributes:
        anchors: with their anchors. alone: one at a time. side: least width of a tile in px. group: column whose equal values stand together;
            none = in one. tints: colours of the borders by name, of types or of sources.
    """

    anchors: bool
    alone: bool
    side: int
    group: str | None
    tints: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the grid shows.

    Attributes:
        near: tiles by number of the page, from 1: those of `page` and of its neighbours, so that a turn to these is drawn at once.
        run: whose outliers these are. page: which one to show. last: number of the last page. kinds: colours of the borders by name, for the legend.
        marks: what the mark of a tile is.
        alone: show one outlier at a time, large. side: least width of a tile in px. size: outliers a page. count: of them in all.
        staying: verdicts with which an outlier stays in the list; none = whatever its verdict.
        undoable: whether there is a verdict to take back.
        asks: what can be asked of one outlier: "open" (show it in full), "like" (show those like it). judges: whether verdicts may be given.
    """

    near: Mapping[int, Sequence[Tile]]
    run: str
    page: int
    last: int
    kinds: Mapping[str, str]
    marks: str
    alone: bool
    side: int
    size: int
    count: int
    staying: Sequence[Verdict] | None
    undoable: bool
    asks: Sequence[str]
    judges: bool = True


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was heard of the browser.

    Attributes:
        shelf: name under which it keeps the acts that nobody has written down yet. browser: its own name.
        heard: moment of its newest message. written: ids of acts that are written down.
    """

    shelf: str
    browser: str
    heard: float
    written: Sequence[str]


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


def acts(message: Mapping[str, Any]) -> list[Act]:
    """The acts of a message, in order. One may come twice: it is told again until it was heard."""
    told = [Act(str(each["id"]), str(each["run"]), tuple(map(int, each["ids"])), each["verdict"]) for each in message["acts"]]
    return [each for each in told if _ID.fullmatch(each.id)]


def write(act: Act, found: Finished, *, who: str, browser: str | None) -> Verdict | None:
    """Write down one act, once however often it comes.

    Args:
        found: the act's run. browser: undo only what came from this one, where `who` does not tell people apart; none = from any.

    Returns:
        The verdict that was taken back, if one was.

    Raises:
        BadInput: the run has no such outlier.
    """
    count = len(found.outliers)
    if unknown := [number for number in act.ids if not 0 <= number < count]:
        raise BadInput(f"run {act.run} has no outlier {unknown[0]}; it has {count:,}.")
    if act.verdict is not None:
        verdicts.give(open_database(), act.run, act.ids, act.verdict, who=who, origin=act.id)
        return None
    undone = verdicts.undo(open_database(), act.run, who=who, browser=browser, origin=act.id)
    return None if undone is None else cast(Verdict, undone.verdict)


@dataclass(frozen=True)
class Addresses:
    """Where the browser finds images. outlier: by outlier_id. training: ID training images by row."""

    outlier: Callable[[int], str]
    training: Callable[[int], str]


def tiles(
    rows: pd.DataFrame, given: pd.DataFrame, looks: Looks, addresses: Addresses, *, marked: str, alike: Mapping[int, float] | None = None
) -> list[Tile]:
    """The tiles of some outliers.

    Args:
        rows: of `Outliers.page`. given: the verdicts that stand. marked: column whose value each bears.
        alike: by outlier_id the cosine that each bears in the place of that column.
    """
    verdict = dict(zip(given["outlier_id"], given["verdict"], strict=True))

    def mark(row: Any) -> str:
        return f"{alike[row.outlier_id]:.2f}" if alike is not None else mark_text(getattr(row, marked, None), signed=marked == "harm")

    def group(row: Any) -> str:
        value = getattr(row, looks.group) if looks.group else ""
        return (str(value) if said(value) else "none") if looks.group else ""

    def tile(row: Any) -> Tile:
        return Tile(
            id=int(row.outlier_id),
            url=addresses.outlier(int(row.outlier_id)),
            anchor=addresses.training(int(row.anchor_row)) if looks.anchors and row.anchor_row >= 0 else None,
            mark=mark(row),
            caption=origin(row),
            kind=", ".join(str(value) for value in (getattr(row, "ood_type", None), row.source) if said(value)),
            colour=looks.tints.get(row.source) or looks.tints.get(getattr(row, "ood_type", ""), "transparent"),
            verdict=verdict.get(row.outlier_id, ""),
            group=group(row),
            beside=tuple(_beside(row, addresses)),
        )

    return [tile(row) for row in rows.itertuples()]


def _beside(row: Any, addresses: Addresses) -> Iterator[Beside]:
    """Its anchor and the training image nearest to it, as far as they are known."""
    if said(getattr(row, "anchor_row", None)) and row.anchor_row >= 0:
        yield Beside(addresses.training(int(row.anchor_row)), f"anchor: {row.anchor_class}")
    if said(getattr(row, "nearest_row", None)):
        yield Beside(addresses.training(int(row.nearest_row)), f"nearest training image, cosine {row.nearest_cosine:.2f}")


def paged(items: Sequence[Tile], first: int, size: int) -> dict[int, Sequence[Tile]]:
    """Tiles by number of their page; `first` is that of the first one."""
    return {first + place // size: items[place : place + size] for place in range(0, len(items), size)}
