"""The audit as a person does it, in a real browser: drag the band, read the preview, retrain in the background, compare, export."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from badood.explore.finished import Finished, finished
from badood.explore.queries import Filters
from badood.store import jobs, open_database
from tests.tools.browsing import CHROMIUM

CHANGED = "([name, value]) => Number(new URLSearchParams(location.search).get(name)) !== value"
"""Whether a number in the page's address is another one now."""

DRAWN = "([plot, lo]) => Math.abs((plot.layout.selections || [{}])[0].x0 - lo) < 0.002"
"""Whether a plot shows a band that begins at `lo`."""

# Streamlit may keep a replaced plot in the page, hidden, until the next redraw
HISTOGRAM = ".st-key-band_plot .js-plotly-plot:visible"
HANDLES = ".st-key-band_plot .outline-controllers:visible"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]


@pytest.fixture
def page(address: str, browser: Browser) -> Page:
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened.set_default_timeout(60_000)
    opened.goto(f"{address}/band?run=small&lo=0.2&hi=0.4&zoom=false")
    return opened


def kept(page: Page) -> str:
    return page.get_by_test_id("stMetric").filter(has_text="Kept").get_by_test_id("stMetricValue").inner_text()


def point(page: Page, confidence: float) -> tuple[float, float]:
    """Where an id_confidence lies on the screen, half way up the histogram."""
    box = page.locator(f"{HISTOGRAM} .nsewdrag").bounding_box()
    assert box is not None
    return box["x"] + confidence * box["width"], box["y"] + box["height"] / 2


def drag(page: Page, start: float, end: float) -> None:
    """Drag over the histogram from one id_confidence to another."""
    page.mouse.move(*point(page, start))
    page.mouse.down()
    page.mouse.move(*point(page, (start + end) / 2), steps=3)
    page.mouse.move(*point(page, end), steps=3)
    page.mouse.up()


def limits(page: Page) -> tuple[float, float]:
    """The band that the page's address names."""
    return tuple(float(re.search(rf"[?&]{name}=([\d.]+)", page.url).group(1)) for name in ("lo", "hi"))  # type: ignore[return-value, union-attr]


def test_the_band_is_dragged_previewed_retrained_compared_and_exported(page: Page, small_run: Finished) -> None:
    expect(page.get_by_role("heading", name="Band", exact=True)).to_be_visible()
    histogram = page.locator(HISTOGRAM)
    expect(page.locator(HANDLES)).to_have_count(1)

    # a box drawn on the plot is the band, on the slider and in the address
    drag(page, 0.02, 0.9)
    page.wait_for_url(re.compile(r"lo=0\.0[12]"))
    lo, hi = limits(page)
    assert (lo, hi) == pytest.approx((0.02, 0.9), abs=0.02)
    slider = page.get_by_role("slider")
    expect(slider.first).to_have_value(f"{lo:g}")
    count = small_run.outliers.count(Filters(id_confidence=(lo, hi)))
    expect(page.get_by_test_id("stMetric").filter(has_text="Kept")).to_contain_text(f"{count:,}")
    expect(page.locator(".bad-strip img").first).to_have_js_property("complete", True)

    # the drawn band can be taken by its middle and moved
    expect(histogram).to_have_count(1)
    page.wait_for_function(DRAWN, arg=[histogram.element_handle(), lo])
    expect(page.locator(HANDLES)).to_have_count(1)
    drag(page, 0.46, 0.5)
    page.wait_for_function(CHANGED, arg=["lo", lo])
    lo = limits(page)[0]
    assert lo == pytest.approx(0.06, abs=0.02)

    # and the slider moves it too
    expect(slider.first).to_have_value(f"{lo:g}")
    slider.first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(CHANGED, arg=["lo", lo])
    assert limits(page)[0] == pytest.approx(lo + 0.001, abs=1e-6)

    # the preview says that it is one
    preview = page.get_by_test_id("stMetric").filter(has_text="FPR95")
    expect(page.get_by_text("not a full retrain")).to_be_visible()
    expect(preview).to_contain_text(re.compile(r"\d+\.\d %"), timeout=90_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)

    # retrain in the background; the page stays usable meanwhile
    page.get_by_role("button", name="Retrain on this band").click()
    expect(page.get_by_text(re.compile("Retraining on band")).first).to_be_visible()
    lo = limits(page)[0]
    expect(slider.first).to_have_value(f"{lo:g}")
    slider.first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(CHANGED, arg=["lo", lo])
    page.reload()
    expect(page.get_by_text(re.compile("Retraining on band")).first).to_be_visible()
    expect(page.get_by_text(re.compile("Retraining on band"))).to_have_count(0, timeout=180_000)
    (job,) = jobs.listed(open_database(), kinds=["retrain"])
    assert job.state == "done", job.error
    row = finished("small").filters().iloc[-1]
    assert row["filter"].startswith("band ")
    expect(page.get_by_test_id("stMultiSelect").filter(has_text=row["filter"])).to_be_visible()

    # compare takes the new detector up
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Which outliers differ")).to_be_visible()
    expect(page.get_by_test_id("stMultiSelect").filter(has_text=f"small: {row['filter']}")).to_be_visible()

    # export what the band keeps
    page.get_by_role("link", name="Band").click()
    page.locator(".st-key-band-export").get_by_role("button").click()  # not Compare's, which is there until this page is
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Scores (CSV)").click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert len(lines) == 1 + int(kept(page).replace(",", ""))
