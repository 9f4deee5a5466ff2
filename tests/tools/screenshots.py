"""Pictures of every page of a finished run: `python -m tests.tools.screenshots RUN [FOLDER]`."""

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from badood.core.artefacts import home
from badood.pipeline.runs import open_run
from tests.tools.browsing import CHECKOUT, chromium, served
from tests.tools.jupyter import laboratory, run_cell

PAGES = {
    "runs": "",
    "outliers": "outliers",
    "band": "band",
    "calibration": "calibration",
    "types": "types",
    "heatmaps": "heatmaps",
    "map": "map",
    "compare": "compare",
    "benchmark": "benchmark",
    "learn": "learn",
}
"""Name of the picture, and the page's address."""

_TALLEST = 2400  # px; a picture in a README is no scroll

CALM = """() => {
  const main = document.querySelector("[data-testid=stMain]");
  const waiting = document.querySelector("[data-stale=true], [data-testid=stSkeleton], [data-testid=stStatusWidget]");
  return main && main.querySelector("h1") && !waiting && !main.innerText.includes("hourglass_top")
    && ![...main.querySelectorAll("[data-testid=stMetricValue]")].some((value) => value.innerText === "…")
    && [...document.images].every((image) => image.complete);
}"""
"""Whether nothing on the page is still to come."""


def shoot(page: Page, url: str, path: Path) -> None:
    """Open an address and save the whole page as WebP once nothing on it is still to come."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url)
    page.wait_for_function(CALM, polling=250)
    tall = int(page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"))
    page.set_viewport_size({"width": 1280, "height": max(900, min(tall, _TALLEST))})
    page.wait_for_timeout(1500)  # plots fade in and resize
    page.wait_for_function(CALM, polling=250)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, "WEBP", quality=86, method=6)


def shoot_widget(browser: Browser, run: str, path: Path, *, dark: bool) -> None:
    """The gallery of `run.show()` in a notebook, as WebP."""
    cell = f"import badood\n\nbadood.open({run!r}).show()"
    with tempfile.TemporaryDirectory() as folder, laboratory(Path(folder) / "jupyter", cell, dark=dark) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        page.set_default_timeout(120_000)
        run_cell(page, url)
        page.locator(".badood .tile").first.wait_for()
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        cells = page.locator(".jp-CodeCell").first.screenshot()
        Image.open(io.BytesIO(cells)).convert("RGB").save(path, "WEBP", quality=86, method=6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="id of a finished run in BADOOD_HOME")
    parser.add_argument("folder", nargs="?", type=Path, default=CHECKOUT / "assets" / "screenshots")
    parser.add_argument("--dark", action="store_true", help="the dark theme; files end in -dark")
    given = parser.parse_args()
    run = open_run(given.run)
    given.folder.mkdir(parents=True, exist_ok=True)
    with served(home()) as (url, _), chromium() as browser:
        page = browser.new_page(color_scheme="dark" if given.dark else "light")
        page.set_default_timeout(600_000)  # the heatmaps of a large run wait for every scorer
        for name, address in PAGES.items():
            path = given.folder / f"{name}{'-dark' if given.dark else ''}.webp"
            shoot(page, f"{url}/{address}?run={run.id}", path)
            print(f"wrote {path}")
        path = given.folder / f"widget{'-dark' if given.dark else ''}.webp"
        shoot_widget(browser, run.id, path, dark=given.dark)
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
