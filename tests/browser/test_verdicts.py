"""No verdict is lost, however fast somebody judges: keys in a real browser, acts in the database."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from badood.core.artefacts import home
from badood.explore.finished import Finished
from badood.store import open_database, verdicts
from badood.store.tables import Act
from tests.tools.browsing import CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]

NAMES = {"k": "keep", "r": "reject", "u": "unsure"}
FAST = 100
"""Milliseconds between keys."""


def opened(browser: Browser, address: str, path: str) -> Page:
    """The grid in a browser of its own, with its images there."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address).new_page()
    page.set_default_timeout(60_000)
    page.goto(path)
    expect(page.locator(".tile")).not_to_have_count(0)
    page.locator(".tile").first.focus()
    return page


def pressed(page: Page, keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(FAST)


def saved(page: Page) -> None:
    """Wait until the browser knows that all is written down."""
    expect(page.locator(".saving")).to_be_empty()


def acts(run_id: str) -> list[str]:
    """Verdicts of all acts in the order in which they were written, those taken back included."""
    with open_database().session() as session:
        return list(session.scalars(select(Act.verdict).where(Act.run_id == run_id).order_by(Act.id)))


def judged(run_id: str) -> dict[int, str]:
    table = verdicts.current(open_database(), run_id)
    return dict(zip(table["outlier_id"], table["verdict"], strict=True))


def test_every_key_is_written_once_and_in_order_over_a_reload(address: str, browser: Browser, small_run: Finished) -> None:
    page = opened(browser, address, "/outliers?run=small")
    first, second = "krukkrruku" * 8, "rukkruruuk" * 4
    pressed(page, first)
    page.reload()  # with what was not yet heard of
    expect(page.locator(".tile")).not_to_have_count(0)
    saved(page)
    assert acts("small") == [NAMES[key] for key in first]
    page.locator(".tile").first.focus()
    pressed(page, second)
    saved(page)
    assert acts("small") == [NAMES[key] for key in first + second]
    assert "Warning" not in (home() / "server.log").read_text()


def test_the_page_turns_behind_its_last_outlier(address: str, browser: Browser, small_run: Finished) -> None:
    page = opened(browser, address, "/outliers?run=small")
    order = small_run.outliers.page(descending=True, limit=63)["outlier_id"].astype(int).tolist()
    page.locator(".tile").nth(58).focus()
    pressed(page, "krku")
    saved(page)
    assert judged("small") == dict(zip(order[58:62], ["keep", "reject", "keep", "unsure"], strict=True))
    page.wait_for_url(re.compile("page=2"))


def test_none_is_skipped_where_judged_outliers_leave_the_list(address: str, browser: Browser, small_run: Finished) -> None:
    page = opened(browser, address, "/outliers?run=small&verdict=none+yet")
    order = small_run.outliers.page(descending=True, limit=70)["outlier_id"].astype(int).tolist()
    pressed(page, "k" * 65)
    saved(page)
    assert sorted(judged("small")) == sorted(order[:65])
    expect(page.get_by_text(f"{len(small_run.outliers) - 65:,} of")).to_be_visible()


def test_two_reviewers_take_back_their_own_verdicts(address: str, browser: Browser, small_run: Finished) -> None:
    one, other = (opened(browser, address, "/outliers?run=small") for _ in range(2))
    order = small_run.outliers.page(descending=True, limit=3)["outlier_id"].astype(int).tolist()
    one.keyboard.press("k")
    saved(one)
    other.keyboard.press("ArrowRight")
    other.keyboard.press("r")
    saved(other)
    assert judged("small") == {order[0]: "keep", order[1]: "reject"}
    one.keyboard.press("z")
    saved(one)
    assert judged("small") == {order[1]: "reject"}
    one.reload()
    expect(one.locator(".tile")).not_to_have_count(0)
    one.locator(".tile").first.focus()
    one.keyboard.press("z")  # nothing of this browser's is left
    saved(one)
    assert judged("small") == {order[1]: "reject"}


def test_outliers_are_reviewed_one_at_a_time(address: str, browser: Browser, small_run: Finished) -> None:
    page = opened(browser, address, "/outliers?run=small&alone=true")
    order = small_run.outliers.page(descending=True, limit=62)["outlier_id"].astype(int).tolist()
    shown = page.locator(".tile:visible")
    expect(shown).to_have_count(1)
    expect(page.locator(".place")).to_contain_text(f"1 of {len(small_run.outliers)}")
    for text in ("anchor: ", "nearest training image, cosine "):
        beside = shown.locator(".beside", has_text=text)
        expect(beside.locator("img")).to_have_js_property("complete", True)
        assert beside.locator("img").evaluate("image => image.naturalWidth") > 0
    pressed(page, "krkr" * 15 + "u")
    saved(page)
    assert judged("small") == dict(zip(order[:61], [NAMES[key] for key in "krkr" * 15 + "u"], strict=True))
    expect(page.locator(".place")).to_contain_text(f"62 of {len(small_run.outliers)}")
    expect(shown).to_have_attribute("data-id", str(order[61]))
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".place")).to_contain_text(f"61 of {len(small_run.outliers)}")
