"""The page of the paper's tables: it says what works here, hands in a table, and shows what was made."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import asking
from badood.benchmark import shelf
from badood.benchmark.shelf import pages, picture
from badood.core.progress import Silent
from badood.jobs.answers import ANSWERS
from badood.jobs.kinds import job_kind
from badood.store import jobs, open_database
from tests.app.test_pages import texts, worker  # noqa: F401 (a fixture)


def shown() -> AppTest:
    """The page, once the companion has answered."""
    test = AppTest.from_string("import app.views.benchmark as view\nview.page()", default_timeout=60).run()
    for _ in range(3):
        asking.asked("benchmarks", "", preset="miniworld", data=None).result(60)
        test.run()
    return test


@pytest.fixture
def empty_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkout, whose results would be shown too."""
    monkeypatch.setattr(shelf, "checkout", lambda: None)


def test_a_table_is_handed_in_once(worker: None, empty_results: None) -> None:  # noqa: F811
    test = shown()
    assert not test.exception
    assert "No table has been made yet" in texts(test)
    test.selectbox(key="benchmark name").set_value("table3").run()
    test.button(key="make benchmark").click().run()
    (job,) = jobs.listed(open_database(), kinds=["benchmark"])
    assert (job.run_id, job.arguments) == ("benchmark-miniworld", {"name": "table3", "preset": "miniworld", "seeds": 3, "data": None})
    shown_again = shown()
    shown_again.selectbox(key="benchmark name").set_value("table3").run()
    shown_again.button(key="make benchmark").click().run()
    assert "under way already" in texts(shown_again)
    assert len(jobs.listed(open_database(), kinds=["benchmark"])) == 1


def test_what_needs_files_cannot_be_started(worker: None, empty_results: None) -> None:  # noqa: F811
    test = shown()
    test.selectbox(key="benchmark name").set_value("openood").run()
    assert test.button(key="make benchmark").disabled
    assert "needs files" in texts(test)
    assert "scorer" in set(next(entry.value for entry in test.dataframe)["kind"])


def test_the_job_makes_a_page_that_is_shown(worker: None, empty_results: None, tiny: str) -> None:  # noqa: F811
    assert job_kind["benchmark"]({"name": "table3", "preset": tiny, "seeds": 1}, Silent()) == {"page": "table3-tiny"}
    page: Path = pages()["table3-tiny"]
    assert picture(page) == page.with_suffix(".svg")
    test = shown()
    assert not test.exception
    assert "Types of outliers before and after the filter" in texts(test)
    assert "benchmarks" in ANSWERS
