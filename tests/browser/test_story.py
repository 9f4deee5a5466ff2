"""A person's way through the dashboard in a real browser: start a run, watch it, look through the outliers, judge, export."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from badood.explore.finished import Finished
from badood.store import jobs, open_database, verdicts
from tests.tools.browsing import CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]


AHEAD = """ids => {
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  return ids.every((id) => loaded.some((name) => name.includes(`/outlier-${id}?`)));
}"""
"""Whether the browser has fetched the images of these outliers."""


@pytest.fixture
def page(address: str, browser: Browser) -> Page:
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True, base_url=address)
    opened.set_default_timeout(60_000)
    return opened


def judged(run_id: str) -> dict[int, str]:
    table = verdicts.current(open_database(), run_id)
    return dict(zip(table["outlier_id"], table["verdict"], strict=True))


def test_a_run_is_started_watched_and_cancelled(page: Page) -> None:
    page.goto("/")
    page.get_by_text("Start a run", exact=True).click()
    page.locator("input[aria-label=Name]").fill("mine")
    page.locator("input[aria-label=Name]").press("Enter")
    page.locator("input[aria-label=Outliers]").fill("30")
    page.locator("input[aria-label=Outliers]").press("Enter")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_text(re.compile(r"Run: (read|encode|synthesise|decode|outliers|tokenise|rebuild|detect)")).first).to_be_visible()

    # a reload loses nothing
    page.reload()
    expect(page.get_by_text(re.compile("Run: ")).first).to_be_visible()
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    (job,) = jobs.listed(open_database(), kinds=["run"])
    assert (job.run_id, job.state) == ("mine", "cancelled")


def test_outliers_are_judged_by_key_looked_at_and_exported(page: Page, small_run: Finished) -> None:
    page.goto("/outliers?run=small")
    tiles, badges = page.locator(".tile"), page.locator(".tile .verdict:not(:empty)")
    expect(tiles).to_have_count(60)
    expect(tiles.first.locator("img").first).to_have_js_property("complete", True)
    first = small_run.outliers.page(descending=True, limit=3)["outlier_id"].astype(int).tolist()

    # two are picked and rejected, the next one is kept, and that is taken back
    tiles.nth(0).click()
    tiles.nth(1).click()
    expect(page.locator(".count")).to_have_text("2 selected")
    page.keyboard.press("r")
    expect(page.get_by_text("2 judged")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    expect(page.get_by_text("3 judged")).to_be_visible()
    assert judged("small") == {first[0]: "reject", first[1]: "reject", first[2]: "keep"}
    page.keyboard.press("z")
    expect(page.get_by_text("2 judged")).to_be_visible()
    expect(badges).to_have_count(2)

    # also when nothing has the focus, after a click beside the tiles
    page.keyboard.press("k")
    expect(page.get_by_text("3 judged")).to_be_visible()
    page.get_by_role("heading", name="Outliers").click()
    page.keyboard.press("z")
    expect(page.get_by_text("2 judged")).to_be_visible()
    expect(badges).to_have_count(2)

    # a reload keeps the verdicts; the filter finds them, and the address names it
    page.locator(".stMain").get_by_role("button", name="reject", exact=True).first.click()
    expect(tiles).to_have_count(2)
    page.wait_for_url(re.compile("verdict=reject"))
    page.reload()
    expect(tiles).to_have_count(2)

    # the detail view is part of the address too
    tiles.first.dblclick()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Nearest training images")).to_be_visible()
    expect(dialog.get_by_text("What CLIP sees")).to_be_visible()
    page.wait_for_url(re.compile(f"outlier={first[0]}"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    page.get_by_role("button", name=re.compile("Export 2 outliers")).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Scores (CSV)").click()
    assert len(Path(waiting.value.path()).read_text().splitlines()) == 3


def test_pages_of_the_grid_follow_one_another(page: Page, small_run: Finished) -> None:
    page.goto("/outliers?run=small&page=2")
    last = small_run.outliers.page(descending=True, offset=60)["outlier_id"].astype(int).tolist()
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(len(last))
    assert [int(tile.get_attribute("data-id") or -1) for tile in tiles.all()] == last

    # the keys turn pages too, and a page that comes next was fetched before
    tiles.first.focus()
    page.keyboard.press("PageUp")
    expect(tiles).to_have_count(60)
    assert int(tiles.first.get_attribute("data-id") or -1) == small_run.outliers.page(descending=True, limit=1)["outlier_id"][0]
    page.wait_for_function(AHEAD, arg=last)

    # so do the arrows, and the number of a page; the address names it
    page.get_by_role("button", name="Next page").click()
    expect(tiles).to_have_count(len(last))
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    page.wait_for_url(re.compile("page=2"))
    page.get_by_role("spinbutton", name="Page").fill("1")
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(60)
    page.wait_for_url(re.compile("page=1"))
