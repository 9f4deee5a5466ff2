"""Ways to the outliers that matter: likeness, groups, matrices, links; keys that are written down where they are needed."""

import re
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from badood.explore.finished import Finished
from badood.explore.queries import Filters
from badood.store import open_database, views
from tests.tools.browsing import CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]


@pytest.fixture
def page(address: str, browser: Browser) -> Page:
    """A page of 1280 px that waits long enough for a busy machine."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address).new_page()
    opened.set_default_timeout(60_000)
    return opened


def ids(page: Page) -> list[int]:
    return [int(tile.get_attribute("data-id") or -1) for tile in page.locator(".tile").all()]


def test_more_like_this_by_key_and_back(page: Page, small_run: Finished) -> None:
    page.goto("/outliers?run=small")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(60)
    third = ids(page)[2]
    alike = small_run.alike(third)["outlier_id"].tolist()
    tiles.nth(2).focus()
    page.keyboard.press("m")
    unlike = page.get_by_role("button", name=f"Like outlier {third}")
    expect(unlike).to_be_visible()
    expect(tiles.first).to_have_attribute("data-id", str(third))
    assert ids(page) == alike[:60]
    assert parse_qs(urlparse(page.url).query)["like"] == [str(third)]
    page.reload()
    expect(tiles.first).to_have_attribute("data-id", str(third))
    unlike.click()
    expect(unlike).to_have_count(0)
    expect(tiles.first).not_to_have_attribute("data-id", str(third))


def test_the_grid_can_be_grouped_and_says_its_keys(page: Page, small_run: Finished) -> None:
    page.goto("/outliers?run=small&group=class+of+the+anchor&size=140")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(60)
    order = small_run.outliers.page(group="anchor_class", descending=True, limit=60)
    assert ids(page) == order["outlier_id"].tolist()
    assert page.locator("h4.group").all_inner_texts() == order["anchor_class"].unique().tolist()
    assert (tiles.first.bounding_box() or {})["width"] >= 140

    sheet = page.get_by_role("dialog", name="Keys")
    expect(sheet).to_have_count(0)
    page.keyboard.press("?")
    expect(sheet).to_be_visible()
    tiles.first.focus()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_a_cell_of_a_matrix_opens_the_grid(page: Page, small_run: Finished) -> None:
    page.goto("/types?run=small&lo=0&hi=1")
    matrix = page.locator(".st-key-type-by-band canvas").first
    matrix.scroll_into_view_if_needed()
    mix = small_run.outliers.mix("ood_type", Filters(id_confidence=(0, 1))).set_index("ood_type")["count"]
    kind = mix.index[0]
    row = sorted(("OOD-I", "OOD-II", "OOD-III")).index(kind)
    box = matrix.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 35 * (row + 1.5))
    expect(page.get_by_role("heading", name="Outliers")).to_be_visible()
    expect(page.get_by_text(f"{mix[kind]} of {len(small_run.outliers)} outliers")).to_be_visible()
    page.wait_for_url(re.compile("type="))


def test_links_of_the_sidebar_carry_the_run_and_the_band_into_a_new_tab(page: Page, small_run: Finished) -> None:
    page.goto("/band?run=small&lo=0.125&hi=0.875")
    link = page.get_by_role("link", name="Types")
    expect(link).to_have_attribute("href", re.compile("lo=0.125"))
    other = page.context.new_page()
    other.goto(link.get_attribute("href") or "")
    expect(other.get_by_text("Band 0.125 to 0.875 in id_confidence")).to_be_visible()
    # the band of a link is not forgotten by a click on another page, either
    page.get_by_role("link", name="Learn").click()
    expect(page.get_by_role("heading", name="7. Filter")).to_be_visible()
    page.get_by_role("link", name="Band").click()
    page.wait_for_url(re.compile(r"lo=0\.125"))


def test_a_selection_is_part_of_the_address(page: Page, small_run: Finished) -> None:
    key = views.keep_selection(open_database(), "small", [3, 5, 8])
    page.goto(f"/outliers?run=small&selection={key}")
    expect(page.locator(".tile")).to_have_count(3)
    assert sorted(ids(page)) == [3, 5, 8]
    page.get_by_role("button", name="Selection of 3").click()
    expect(page.locator(".tile")).to_have_count(60)


def test_what_changes_with_the_band_stays_in_sight(page: Page, small_run: Finished) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/band?run=small")
    kept = page.get_by_test_id("stMetric").filter(has_text="Kept")
    retrain = page.get_by_role("button", name="Retrain on this band")
    for shown in (kept, retrain, page.locator(".js-plotly-plot").first):
        expect(shown).to_be_in_viewport()


def test_an_empty_store_offers_an_example_to_learn_from(address: str, browser: Browser, small_run: Finished, page: Page) -> None:
    from badood.pipeline.runs import delete_run

    delete_run("small")
    page.goto("/learn")
    page.get_by_role("button", name="Open the example run").click()
    for heading in ("Why", "The seven steps", "5. Score", "6. Calibration", "7. Filter", "Before and after", "Does it help?"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.get_by_text("4. Minority guidance")).to_be_visible()
    expect(page.locator(".bad-strip img[src^='data:']")).to_have_count(4)


CUT = """() => [...document.querySelectorAll("[data-testid=stMetricValue] > div, [data-testid=stMetricLabel] p, .stButton p, .stPopover p")]
  .filter((each) => each.offsetParent && each.scrollWidth > each.clientWidth + 1).map((each) => each.innerText)"""
"""Figures, labels and buttons that do not fit where they stand."""


@pytest.mark.parametrize("path", ["/", "/outliers?run=small", "/band?run=small"])
def test_nothing_is_cut_on_a_narrow_page(page: Page, small_run: Finished, path: str) -> None:
    page.set_viewport_size({"width": 800, "height": 1000})
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("stMetric").or_(page.locator(".tile")).first).to_be_visible()
    assert page.evaluate(CUT) == []
