"""What a visitor looks at: run, band and selection. In the URL where a link should reproduce it. The only file that touches the session."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import streamlit as st

from app.opened import is_ready, is_scored, opened, runs
from badood.explore.finished import Finished
from badood.store import open_database, views

Unit = Literal["confidence", "quantile"]

_DIGITS = 12


@dataclass(frozen=True)
class Band:
    """A band as a person set it.

    Attributes:
        lo, hi: in id_confidence, or quantiles of ID validation. unit: which of both.
    """

    lo: float
    hi: float
    unit: Unit = "confidence"

    @property
    def quantiles(self) -> bool:
        return self.unit == "quantile"

    def limits(self, found: Finished) -> tuple[float, float]:
        """The band in id_confidence."""
        return found.limits(self.lo, self.hi, quantiles=self.quantiles)

    def filter(self, sources: tuple[str, ...] = (), max_harm: float | None = None) -> dict[str, Any]:
        """Fields of `config.Filter`.

        Args:
            sources: outliers of these only; none = of all. max_harm: of at most this harm only; none = of any.
        """
        only: dict[str, Any] = {"sources": list(sources)} if sources else {}
        only |= {} if max_harm is None else {"max_harm": max_harm}
        return {"strategy": "quantile" if self.quantiles else "band", "lo": self.lo, "hi": self.hi} | only


def value(key: str, default: Any = None) -> Any:
    """What the session holds under a widget's key."""
    return st.session_state.get(key, default)


def put(key: str, new: Any) -> None:
    """Set a widget's value before it is drawn. One that is there already is left alone: a person may be moving on from it."""
    if key not in st.session_state or st.session_state[key] != new:
        st.session_state[key] = new


def forget(*keys: str) -> None:
    """Widgets with these keys begin anew."""
    for key in keys:
        st.session_state.pop(key, None)


def run_id() -> str | None:
    """The run that is looked at: chosen, else of the URL, else the newest whose outliers are scored or, failing that, are there."""
    chosen = st.session_state.get("run") or st.query_params.get("run")
    if chosen is None:
        ready = [run for run in runs() if is_ready(run)]
        chosen = next((run.id for run in [*filter(is_scored, ready), *ready]), None)
    return chosen


def forget_run() -> None:
    """Look at no run in particular, as after one was deleted."""
    forget("run", "run choice")
    st.query_params.pop("run", None)


def pick_run(chosen: str) -> None:
    """Look at a run."""
    st.session_state["run"] = st.query_params["run"] = chosen
    _leave_other_runs(chosen)


def _leave_other_runs(run: str) -> None:
    """What was picked in, opened in or said of another run is gone: the same number is another outlier here.

    A visitor's first run leaves nothing: a link may name an outlier and a page of it.
    """
    if st.session_state.setdefault("seen run", run) == run:
        return
    st.session_state["seen run"] = run
    forget("selected_ids", "suggestion", "page", "source", "like")
    for name in ("outlier", "page", "source", "like", "selection"):
        st.query_params.pop(name, None)


def current() -> Finished | None:
    """The run that is looked at; None where no run has outliers yet.

    Raises:
        BadInput: a link, or another window, names one that is not there.
    """
    chosen = run_id()
    if chosen is None:
        return None
    found = opened(chosen)
    _leave_other_runs(chosen)
    return found


def link() -> dict[str, str]:
    """Parameters with which another page shows the same run and band."""
    run = run_id()
    named = {} if run is None else {"run": run}
    return named | (_parameters(st.session_state["band"]) if "band" in st.session_state else {})


def keep_in_url(found: Finished) -> None:
    """Name the run, and the band where one was set, in the page's address, so that a link shows the same."""
    st.query_params["run"] = found.run.id
    if "band" in st.session_state:
        _band_in_url(st.session_state["band"])


def _band_in_url(shown: Band) -> None:
    st.query_params.update(_parameters(shown))


def _parameters(shown: Band) -> dict[str, str]:
    return {"lo": f"{shown.lo:.9g}", "hi": f"{shown.hi:.9g}", "unit": shown.unit}


def adopt_link() -> None:
    """Take over the run and the band that a link names, before a click on another page drops them from the address."""
    if "run" not in st.session_state and "run" in st.query_params:
        st.session_state["run"] = st.query_params["run"]
    if "band" not in st.session_state and (named := _linked_band()) is not None:
        st.session_state["band"] = named


def _linked_band() -> Band | None:
    """The band of the URL; none where it names none, or none that could be."""
    query = st.query_params
    try:
        lo, hi = float(query["lo"]), float(query["hi"])
    except (KeyError, ValueError):
        return None
    return Band(lo, hi, "quantile" if query.get("unit") == "quantile" else "confidence") if 0 <= lo <= hi <= 1 else None


def band(found: Finished) -> Band:
    """The band that is looked at: set, else of the URL, else the one to start with."""
    return st.session_state.get("band") or _linked_band() or Band(*found.starting_band)


def set_band(new: Band, *, by_slider: bool = False) -> None:
    """Look at another band.

    The browser reports every widget's value along with any event, also one that lags behind what the server has just set. So a handle is
    another widget whenever the band was set by something else: what the old one reports then moves nothing back.
    """
    st.session_state["band"] = new
    st.session_state["band_turn"] = band_turn() + 1
    if not by_slider:
        st.session_state["slider_turn"] = band_turn()
    _band_in_url(new)


def band_turn() -> int:
    """How often the band was set."""
    return int(st.session_state.get("band_turn", 0))


def slider_turn() -> int:
    """The turn at which the band was last set by something else than its slider."""
    return int(st.session_state.get("slider_turn", 0))


def visitor() -> str:
    """A name for this visitor's session."""
    return st.session_state.setdefault("visitor", uuid.uuid4().hex)


def who() -> str:
    """Whose verdicts these are: the address of a login, else the name that was given, else "local"."""
    return str(st.user.get("email") or st.session_state.get("reviewer") or "local")


def logged_in() -> bool:
    """Whether a login says who the visitor is."""
    return bool(st.user.get("email"))


def browser() -> str:
    """A name for this visitor's browser tab, which a reload does not change once the tab has said it."""
    return st.session_state.setdefault("browser", uuid.uuid4().hex)


def be_browser(name: str) -> None:
    """The tab says what it was called before it was loaded again."""
    if re.fullmatch(r"[0-9a-f]{32}", name):
        st.session_state["browser"] = name


def new_act() -> str:
    """A name for something that is done by a button of the page, as the browser names what is done in the grid."""
    return f"{browser()}:{uuid.uuid4().hex}"


def only_browser() -> str | None:
    """Whose verdicts a person may take back: of this browser where nobody says who it is; None = all of the same person."""
    return browser() if who() == "local" else None


def looked_at() -> int | None:
    """The outlier that is shown in full: opened, else of the URL."""
    return _number("outlier")


def _number(name: str) -> int | None:
    """A whole number of the URL; None where it names none, or one of more digits than anything here has."""
    text = st.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def look_at(outlier_id: int | None) -> None:
    """Show an outlier in full; None = no more."""
    if outlier_id is None:
        st.query_params.pop("outlier", None)
    else:
        st.query_params["outlier"] = str(outlier_id)


def page() -> int:
    """The page of the grid that is looked at, from 1: turned to, else of the URL."""
    return st.session_state.get("page") or max(1, _number("page") or 1)


def turn_to(number: int) -> None:
    """Look at a page of the grid."""
    st.session_state["page"] = number
    if st.query_params.get("page") != str(number):  # the same again would be sent to the browser again
        st.query_params["page"] = str(number)


def say(text: str, icon: str) -> None:
    """Have the page say something for a moment when it is drawn next: a callback of a fragment must not draw."""
    st.session_state.setdefault("said", []).append((text, icon))


def speak() -> None:
    """Say what was to be said."""
    for text, icon in st.session_state.pop("said", []):
        st.toast(text, icon=icon)


def selected_ids() -> tuple[int, ...] | None:
    """Outliers that another page, or a link, selected for the grid; None = no selection."""
    return st.session_state.get("selected_ids")


def select_ids(ids: tuple[int, ...] | None) -> None:
    """Hand a selection to the grid, and to its address."""
    st.session_state["selected_ids"] = ids
    _selection_in_url()


def _selection_in_url() -> None:
    ids, run = selected_ids(), run_id()
    if ids is None or run is None:
        st.query_params.pop("selection", None)
    else:
        st.query_params["selection"] = views.keep_selection(open_database(), run, ids)


def take_linked_selection(found: Finished) -> None:
    """Take the selection over that the grid's address names.

    Raises:
        BadInput: there is none of this name.
    """
    key = st.query_params.get("selection")
    if selected_ids() is not None:
        _selection_in_url()  # the address forgets it while another page is looked at
    elif key is not None:
        st.session_state["selected_ids"] = views.selection(open_database(), found.run.id, key)


def like() -> int | None:
    """The outlier to which the grid shows the most alike ones; None = it shows any."""
    if "like" not in st.session_state:
        st.session_state["like"] = _number("like")
    return st.session_state["like"]


def be_like(outlier_id: int | None) -> None:
    """Show the outliers most alike to one; None = any."""
    st.session_state["like"] = outlier_id
    like_in_url()


def like_in_url() -> None:
    """Name it in the grid's address, which forgets it while another page is looked at."""
    outlier_id = like()
    if outlier_id is None:
        st.query_params.pop("like", None)
    else:
        st.query_params["like"] = str(outlier_id)


GRID_FILTERS = ("confidence", "type", "verdict", "source", "class", "clip", "tag", "scale", "minority", "harm", "likeness")
"""Keys of the widgets by which the grid is narrowed."""


def clear_grid() -> None:
    """Show all outliers in the grid, from its first page on."""
    forget(*GRID_FILTERS)
    select_ids(None)
    be_like(None)
    turn_to(1)


GRID_LOOKS = ("sort", "order", "alone", "anchors", "size", "group", "border")
"""Keys of the widgets that say how the grid shows what it shows."""

_SLIDERS = ("confidence", "minority", "harm", "likeness")
"""Of `GRID_FILTERS` those with two ends."""


def grid_view() -> dict[str, Any]:
    """What the grid shows and how, as `show_view` takes it: of numbers, texts and lists."""
    shown = {key: list(chosen) if isinstance(chosen, tuple) else chosen for key in (*GRID_FILTERS, *GRID_LOOKS) if (chosen := value(key))}
    ids, run = selected_ids(), run_id()
    selection = None if ids is None or run is None else views.keep_selection(open_database(), run, ids)
    return shown | {"like": like(), "selection": selection}


def show_view(view: Mapping[str, Any]) -> None:
    """Show what `grid_view` wrote down."""
    chosen, run = dict(view), run_id()
    clear_grid()
    forget(*GRID_LOOKS)
    be_like(chosen.pop("like", None))
    key = chosen.pop("selection", None)
    if key is not None and run is not None:
        select_ids(views.selection(open_database(), run, key))
    _fill(chosen)


def _fill(chosen: Mapping[str, Any]) -> None:
    """Set widgets of the grid by key; the ends of a slider are a tuple."""
    for key, entry in chosen.items():
        st.session_state[key] = tuple(entry) if key in _SLIDERS else entry


def show_in_grid(**filters: Any) -> NoReturn:
    """Go to the grid and show what these filters leave, and these alone; its address says so.

    Args:
        filters: what the address has for keys of `GRID_FILTERS`, and "like": an outlier_id.
    """
    forget(*GRID_FILTERS, "selected_ids", "like", "page")
    st.switch_page(st.session_state["grid_page"], query_params=link() | {name: chosen for name, chosen in filters.items() if chosen})


def open_in_grid(ids: tuple[int, ...]) -> None:
    """Go to the grid and show these outliers only."""
    select_ids(ids)
    st.switch_page(st.session_state["grid_page"])
