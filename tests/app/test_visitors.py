"""Several people before one dashboard, and one person before several runs: nobody is given what is another's."""

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import asking, server
from badood.core import places
from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.pipeline.runs import list_runs
from badood.store import jobs, open_database

Answer = Callable[..., Any]


class Companion:
    """Stands in for the process: answers what it is told to, at once or when it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.answer: Answer = lambda question, **arguments: question
        self.heard: list[str] = []

    def ask(self, question: str, **arguments: Any) -> Any:
        self.heard.append(question)
        assert self.free.wait(20)
        return self.answer(question, **arguments)

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> Iterator[Companion]:
    told = Companion()
    monkeypatch.setattr(asking, "companion", lambda: told)
    yield told
    told.free.set()
    asking.close()


def visitor() -> str:
    test = AppTest.from_string("import streamlit as st\nfrom app import state\nst.write(state.visitor())").run()
    names = {test.markdown[0].value, test.run().markdown[0].value}
    assert len(names) == 1, "a visitor keeps their name"
    return names.pop()


def test_every_visitor_has_a_name_of_their_own() -> None:
    assert visitor() != visitor()


def test_who_moves_on_drops_their_own_question_only(companion: Companion) -> None:
    busy = asking.asked("ping", "nobody")
    ada, ben = asking.asked("preview", "ada", lo=0.1), asking.asked("preview", "ben", lo=0.2)
    asking.asked("preview", "ada", lo=0.3)
    assert ada.cancelled()
    companion.free.set()
    assert (busy.result(20), ben.result(20)) == ("ping", "preview")


def test_a_question_that_two_wait_for_is_dropped_when_both_have_moved_on(companion: Companion) -> None:
    asking.asked("ping", "nobody")
    shared = asking.asked("preview", "ada", lo=0.1)
    assert asking.asked("preview", "ben", lo=0.1) is shared
    asking.asked("preview", "ada", lo=0.2)
    assert not shared.cancelled()
    asking.asked("preview", "ben", lo=0.2)
    assert shared.cancelled()


@pytest.mark.parametrize("failure", [BadInput("no network"), OSError("no network")])
def test_what_failed_is_asked_anew_after_a_while_and_not_before(
    companion: Companion, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(question: str) -> None:
        raise failure

    companion.answer = fail
    companion.free.set()
    first = asking.asked("scorers", "ada")
    assert first.exception(20) is failure
    companion.answer = lambda question: ["energy"]
    assert asking.asked("scorers", "ada") is first, "or a page that waits for an answer would ask without end"
    now = asking.time.monotonic()
    monkeypatch.setattr(asking.time, "monotonic", lambda: now + 3600)
    assert asking.asked("scorers", "ada").result(20) == ["energy"]
    assert asking.asked("scorers", "ben").result(20) == ["energy"]
    assert companion.heard == ["scorers", "scorers"]


@pytest.mark.anyio
async def test_the_companion_is_warmed_when_the_dashboard_starts(companion: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ensure_worker", lambda: None)
    companion.free.set()
    async with server.lifespan(None):
        assert asking.asked("ping", "server").result(20) == "ping"
    assert companion.heard == ["ping"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def two_runs(small_run: Finished) -> Finished:
    """A second run beside the small one: "other"."""
    shutil.copytree(small_run.run.folder, home() / "other")
    return small_run


def grid(run: str) -> AppTest:
    test = AppTest.from_string("import app.views.outliers as view\nview.page()", default_timeout=60)
    test.query_params.update({"run": run, "outlier": "5", "page": "2"})
    test.session_state["selected_ids"] = (2, 3, 4)
    test.session_state["suggestion"] = "Suggested because of the small run."
    return test.run()


def kept(test: AppTest) -> list[str]:
    """What of a run the session and the address still name."""
    names = [name for name in ("selected_ids", "suggestion") if name in test.session_state]
    return names + [name for name in ("outlier", "page") if test.query_params.get(name) not in (None, ["1"], "1")]


@pytest.mark.parametrize("way", ["session", "address"])
def test_another_run_keeps_nothing_of_the_former(two_runs: Finished, way: str) -> None:
    test = grid("small")
    assert not test.exception
    assert {"selected_ids", "suggestion", "outlier"} <= set(kept(test))
    assert {"selected_ids", "suggestion", "outlier"} <= set(kept(test.run()))
    if way == "session":
        test.session_state["run"] = "other"
    else:
        test.query_params["run"] = "other"
    test.run()
    assert not test.exception
    assert kept(test) == []
    assert test.query_params["run"] in ("other", ["other"])


def test_a_run_deleted_in_another_window_breaks_no_page(two_runs: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list_runs()
    next(run for run in listed if run.id == "other").note(state="running")
    shutil.rmtree(home() / "other")
    monkeypatch.setattr("app.views.runs.runs", lambda: listed)
    test = AppTest.from_string("import app.views.runs as view\nview.page()", default_timeout=60).run()
    assert not test.exception
    assert any("**small**" in entry.value for entry in test.markdown)


def test_the_stages_of_a_deleted_run_are_drawn_no_more(two_runs: Finished) -> None:
    script = """
import shutil
import app.views.runs as view
from badood.pipeline.runs import open_run
run = open_run("other")
shutil.rmtree(run.folder)
view._stages(run)
"""
    test = AppTest.from_string(script, default_timeout=60).run()
    assert not test.exception


def test_the_import_path_does_not_grow_with_every_look() -> None:
    jobs.register_worker(open_database())
    test = AppTest.from_file(places.dashboard().with_name("menu.py"), default_timeout=60).run()
    assert not test.exception
    before = list(sys.path)
    test.run()
    assert sys.path == before
