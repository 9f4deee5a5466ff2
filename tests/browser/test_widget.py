"""The gallery in a real notebook: a JupyterLab with its kernel, in a headless Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import badood
from badood.explore.finished import Finished
from tests.tools.browsing import CHROMIUM
from tests.tools.jupyter import laboratory, run_cell

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]


def test_keys_in_a_notebook_judge_and_move_the_band_and_do_not_reach_the_notebook(
    small_run: Finished, browser: Browser, tmp_path: Path
) -> None:
    cells = "import badood\nrun = badood.open('small')\ngallery = run.show((0.0, 1.0))\ngallery"
    with laboratory(tmp_path / "jupyter", cells) as url:
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(90_000)
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        run_cell(page, url)
        tiles = page.locator(".badood .tile")
        expect(tiles.first).to_be_visible()
        numbers = [int(tile.get_attribute("data-id") or "") for tile in tiles.all()]
        tiles.first.focus()
        for key in "kru":  # in a notebook's own keys: cell above, raw cell, nothing
            page.keyboard.press(key)
        expect(page.locator(".badood .saving")).to_be_empty()
        judged = badood.open("small").verdicts.set_index("outlier_id")["verdict"].to_dict()
        assert judged == dict(zip(numbers, ["keep", "reject", "unsure"], strict=False))
        assert page.locator(".jp-CodeCell").count() == 2
        page.keyboard.press("z")
        expect(page.locator(".badood .tile .verdict[data-is=unsure]")).to_have_count(0)

        kept = page.locator(".badood .kept")
        before = kept.inner_text()
        page.locator(".badood .axis input").nth(1).focus()
        page.keyboard.press("Home")
        expect(kept).not_to_have_text(before)
        assert not errors
