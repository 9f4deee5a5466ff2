"""The moving picture of the README, from a finished run: `python -m tests.tools.tour RUN`."""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from badood.core.artefacts import atomic_file, home
from badood.pipeline.runs import open_run
from tests.tools.browsing import CHECKOUT, chromium, served
from tests.tools.screenshots import CALM

_WIDE, _HIGH, _SHOWN = 1280, 800, 960  # px
_FRAME = 900  # ms


def walk(page: Page, url: str, run: str) -> Iterator[Image.Image]:
    """Frames of somebody who looks, judges, finds the like of an outlier, and moves the band."""

    def frame() -> Image.Image:
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        return shot.resize((_SHOWN, _HIGH * _SHOWN // _WIDE), Image.Resampling.LANCZOS)

    def calm() -> None:
        page.wait_for_function(CALM, polling=250)
        page.wait_for_timeout(700)

    page.goto(f"{url}/outliers?run={run}&blind=false")
    calm()
    yield frame()
    page.locator(".tile").first.focus()
    for key in "krrk":
        page.keyboard.press(key)
        page.wait_for_timeout(500)
        yield frame()
    page.keyboard.press("m")
    calm()
    yield frame()
    page.goto(f"{url}/outliers?run={run}&alone=true")
    calm()
    yield frame()
    page.locator(".tile.current").focus()
    for _ in range(2):
        page.keyboard.press("k")
        page.wait_for_timeout(500)
        yield frame()
    page.goto(f"{url}/band?run={run}&lo=0&hi=0.9")
    calm()
    yield frame()
    page.get_by_role("slider").nth(1).focus()
    for _ in range(5):
        for _ in range(3):
            page.keyboard.press("PageDown")
        page.wait_for_timeout(900)
        yield frame()
    page.goto(f"{url}/compare?run={run}")
    calm()
    yield frame()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="id of a finished run in BADOOD_HOME")
    parser.add_argument("file", nargs="?", type=Path, default=CHECKOUT / "assets" / "screenshots" / "tour.webp")
    given = parser.parse_args()
    run = open_run(given.run)
    with served(home()) as (url, _), chromium() as browser:
        page = browser.new_page(viewport={"width": _WIDE, "height": _HIGH})
        page.set_default_timeout(120_000)
        first, *others = walk(page, url, run.id)
    with atomic_file(given.file) as part:
        first.save(part, "WEBP", save_all=True, append_images=others, duration=_FRAME, loop=0, quality=70, method=4)
    print(f"wrote {given.file}, {given.file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
