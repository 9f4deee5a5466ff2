"""How long the dashboard takes, measured in a real headless Chromium: `python -m tests.tools.latency RUN [--outliers 130000] [--busy]`.

A large run is made from a real one by repeating its outliers under new numbers; networks and reference images stay as they are.
Their id_confidence is drawn anew, evenly from 0 to 1, so that every step of the band changes what it keeps. Figures go to
`results/dashboard-latency.json`, beside those of other sizes, and as a table to `results/dashboard-latency.md`.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from playwright.sync_api import Page
from sqlalchemy import func, select

from badood.core.artefacts import atomic_file, read_json, write_json
from badood.jobs import queue
from badood.pipeline.runs import Run, open_run
from badood.store import jobs, open_database
from badood.store.tables import Act
from tests.tools.browsing import CHECKOUT, chromium, served

RESULTS = CHECKOUT / "results" / "dashboard-latency.json"
TARGETS = {
    "band": ("band moved -> counts, mix and edge examples on screen", "ms", 400, None),
    "grid": ("next grid page of 60 thumbnails on screen", "ms", 500, 700),
    "key": ("one at a time: key pressed -> next image on screen", "ms", 100, 100),
    "like": ("more like this -> 60 thumbnails on screen", "ms", 500, None),
    "verdicts": ("verdicts recorded of 1,000 keys at 10 a second", "", 1000, 1000),
    "preview": ("head-only preview of one band", "s", 10, None),
    "first": ("first page after opening a finished run", "s", 3, None),
    "memory": ("memory of the app process", "GB", 1.5, 1.5),
}
"""Row: what, unit, target up to 130,000 outliers, target beyond; none = there is none."""

_SMALL = 130_000
_REPEATS = 20

WATCH = """
window.opened = performance.now();
addEventListener("pointerup", () => { window.began = performance.now(); }, true);
addEventListener("keydown", () => { window.began = performance.now(); }, true);
window.kept = () => [...document.querySelectorAll("[data-testid=stMetric]")]
  .filter((m) => m.innerText.startsWith("Kept")).map((m) => m.innerText).join();
window.drawn = () => {
  const plot = document.querySelector(".js-plotly-plot"), ends = [...document.querySelectorAll("input[type=range]")].slice(0, 2);
  const box = plot && plot.layout && (plot.layout.selections || [])[0];
  const near = 0.002 * (ends.length && ends[0].max - ends[0].min);
  return box && ends.length == 2 && Math.abs(box.x0 - ends[0].value) <= near && Math.abs(box.x1 - ends[1].value) <= near;
};
window.middle = () => {
  const layout = document.querySelector(".js-plotly-plot").layout, box = layout.selections[0], [left, right] = layout.xaxis.range;
  return ((box.x0 + box.x1) / 2 - left) / (right - left);
};
window.tiles = () => {
  const hosts = [...document.querySelectorAll("*")].filter((e) => e.shadowRoot).map((e) => e.shadowRoot);
  const images = [document, ...hosts].flatMap((root) => [...root.querySelectorAll(".tiles .frame img")]);
  return images.length && images.every((i) => i.complete && i.naturalWidth) ? images.map((i) => i.src).join() : "";
};
window.root = () => [document, ...[...document.querySelectorAll("*")].filter((e) => e.shadowRoot).map((e) => e.shadowRoot)].find((r) => r.querySelector(".tiles"));
window.alone = () => {
  const tile = window.root() && [...window.root().querySelectorAll(".tile")].find((t) => t.offsetParent), image = tile && tile.querySelector(".frame img");
  return image && image.complete && image.naturalWidth ? tile.dataset.id : "";
};
window.saving = () => window.root().querySelector(".saving").textContent;
window.calm = () => window.drawn() && document.querySelector(".js-plotly-plot .outline-controllers") && !document.querySelector("[data-stale=true] .bad-strip")
  && [...document.querySelectorAll(".bad-strip img")].every((i) => i.complete && i.naturalWidth)
  && document.querySelectorAll(".bad-strip img").length > 0;
"""


_REPEATED = {
    "described": ("embeddings.npy", "described.parquet"),
    "calibration": ("outliers.parquet",),
    "types": ("types.parquet",),
    "features": ("outliers.npy",),
    "outliers": ("outliers.parquet",),
}
"""By name of a result the files in it that have a row an outlier."""


def _repeat(path: Path, count: int) -> None:
    """Repeat the rows of a file until there are `count`."""
    if path.suffix == ".npy":
        rows = np.load(path)
        np.save(path, np.resize(rows, (count, *rows.shape[1:])))
        return
    table = parquet.read_table(path)
    rng = np.random.default_rng(0)
    confidence = rng.random(count)  # the same in every file of this length
    part = path.with_suffix(".part")
    with parquet.ParquetWriter(part, table.schema) as writer:
        for first in range(0, count, len(table)):
            block = table.slice(0, min(len(table), count - first))
            if "outlier_id" in block.column_names:
                block = _with(block, "outlier_id", np.arange(first, first + len(block)))
            if "id_confidence" in block.column_names:
                block = _with(block, "id_confidence", confidence[first : first + len(block)])
            writer.write_table(block, row_group_size=128)
    part.rename(path)


def _with(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))


_TRAINED = "retrained"
"""Id of an unchanged copy of the run, which is retrained meanwhile."""


def enlarge(run: Run, count: int, store: Path) -> None:
    """Put a copy of a run of one source, with `count` outliers, into a store, and one as it is for retraining."""
    shutil.copytree(run.folder, store / _TRAINED)
    copy = Path(shutil.copytree(run.folder, store / run.id))
    results = run.record["results"]
    (made,) = results["sources"].values()
    # the dashboard shows the images of outliers.parquet; those of the source, of which detectors learn, stay as many as they are
    files = [copy / made / name for name in ("rows.parquet", "embeddings.npy")]
    files += [copy / results[result] / name for result, names in _REPEATED.items() for name in names]
    files += [copy / row.selection / "kept.npy" for row in run.rows.values() if not row.empty]
    for path in dict.fromkeys(files):  # filters that keep the same share a selection
        _repeat(path, count)


def first_page(page: Page, url: str, run: str) -> float:
    """Seconds from the address to a drawn band page."""
    page.goto("about:blank")
    page.goto(f"{url}/band?run={run}&lo=0.1&hi=0.4")
    page.wait_for_function("window.kept && window.kept() && window.calm() && document.querySelector('.js-plotly-plot .nsewdrag')")
    return float(page.evaluate("performance.now() - window.opened")) / 1000


def move_box(page: Page, turn: int) -> float:
    """Milliseconds from the end of dragging the band on the plot to the new counts and images."""
    plot = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert plot is not None
    middle_share = page.evaluate("window.middle()")
    before = page.evaluate("window.kept()")
    middle, y = plot["x"] + middle_share * plot["width"], plot["y"] + 0.3 * plot["height"]
    step = 0.03 * plot["width"] * (1 if turn % 2 else -1)
    page.mouse.move(middle, y)
    page.mouse.down()
    page.mouse.move(middle + step / 2, y)
    page.mouse.move(middle + step, y)
    page.mouse.up()
    return _settled(page, before)


def move_slider(page: Page, turn: int) -> float:
    """Milliseconds from a key on the slider to the new counts and images; Streamlit waits 200 of them for further keys."""
    page.wait_for_timeout(300)  # a key that comes while the last answer is drawn is lost
    page.get_by_role("slider").nth(turn % 2).focus()
    before = page.evaluate("window.kept()")
    page.keyboard.press("PageUp" if turn % 4 < 2 else "PageDown")
    return _settled(page, before)


def _settled(page: Page, before: str) -> float:
    wait = "before => window.kept() && window.kept() !== before && window.calm() ? performance.now() - window.began : false"
    return float(page.wait_for_function(wait, arg=before, polling="raf", timeout=15_000).json_value())


def next_grid_page(page: Page) -> float:
    """Milliseconds from a click on "next" to 60 other thumbnails, for someone who looked at the page for a second."""
    page.wait_for_timeout(1000)
    before = page.evaluate("window.tiles()")
    page.get_by_role("button", name="Next page").click()
    return _other_tiles(page, before)


def any_grid_page(page: Page, number: int) -> float:
    """Milliseconds from the number of a page, typed, to its 60 thumbnails."""
    before = page.evaluate("window.tiles()")
    page.get_by_role("spinbutton", name="Page").fill(str(number))
    page.keyboard.press("Enter")
    return _other_tiles(page, before)


def _other_tiles(page: Page, before: str) -> float:
    wait = "before => window.tiles() && window.tiles() !== before ? performance.now() - window.began : false"
    return float(page.wait_for_function(wait, arg=before, polling="raf", timeout=15_000).json_value())


def next_image(page: Page) -> float:
    """Milliseconds from a verdict by key to the next outlier, large, for someone who looked at this one for half a second."""
    page.wait_for_timeout(500)
    before = page.evaluate("window.alone()")
    page.keyboard.press("k")
    wait = "before => window.alone() && window.alone() !== before ? performance.now() - window.began : false"
    return float(page.wait_for_function(wait, arg=before, polling="raf", timeout=15_000).json_value())


def more_like(page: Page, place: int) -> float:
    """Milliseconds from the key M on an outlier to the 60 that are most alike to it."""
    before = page.evaluate("window.tiles()")
    page.locator(".tile").nth(place).focus()
    page.keyboard.press("m")
    return _other_tiles(page, before)


def recorded(page: Page, url: str, run: str, count: int = 1000) -> float:
    """How many of so many verdicts at ten a second are written down once the browser says that all are, each once and in order."""
    page.goto(f"{url}/outliers?run={run}&page=5")
    page.wait_for_function("window.tiles && window.tiles()")
    page.locator(".tile").first.focus()
    keys = ["kru"[number * number % 3] for number in range(count)]
    with open_database().session() as session:
        last = session.scalar(select(func.max(Act.id))) or 0
    for place, key in enumerate(keys):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        if place == count // 2:
            page.reload()
            page.wait_for_function("window.tiles && window.tiles()")
            page.locator(".tile").first.focus()
    page.wait_for_function("() => window.saving() === ''", timeout=60_000)
    with open_database().session() as session:
        acts = session.scalars(select(Act.verdict).where(Act.run_id == run, Act.id > last).order_by(Act.id)).all()
    names = {"k": "keep", "r": "reject", "u": "unsure"}
    return float(sum(name == names[key] for name, key in zip(acts, keys, strict=False))) if len(acts) <= count else -1.0


def previewed(page: Page) -> float:
    """Seconds from a band that nobody looked at before to its preview."""
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    text = "[...document.querySelectorAll('[data-testid=stMetric]')].find(m => m.innerText.startsWith('FPR95')).innerText"
    page.wait_for_function(f"!{text}.includes('%')", polling="raf", timeout=15_000)
    wait = f"{text}.includes('%') ? performance.now() - window.began : false"
    return float(page.wait_for_function(wait, polling="raf", timeout=120_000).json_value()) / 1000


def measure(store: Path, run: str, *, busy: bool) -> dict[str, Any]:
    """All figures of one size: medians, and the cold first page beside."""
    figures: dict[str, Any] = {}
    with served(store) as (url, process), chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        page.add_init_script(WATCH)
        figures["first page, cold (s)"] = first_page(page, url, run)
        with _training() if busy else nullcontext():
            figures |= _used(page, url, run)
        figures["memory"] = process.memory_info().rss / 2**30
    return figures


@contextmanager
def _training() -> Iterator[None]:
    """Retrains, one after the other, as long as the block lasts."""
    waiting = [
        queue.submit("retrain", {"run": _TRAINED, "filter": {"strategy": "minority", "count": 100 + n}}, _TRAINED) for n in range(20)
    ]
    database = open_database()
    while jobs.get(database, waiting[0].id).stage != "detector":
        time.sleep(0.2)
    try:
        yield
    finally:
        for job in jobs.listed(database, states=jobs.OPEN):
            queue.cancel(job.id)
        while jobs.listed(database, states=jobs.OPEN):
            time.sleep(0.2)


def _used(page: Page, url: str, run: str) -> dict[str, Any]:
    """The figures of an open band page and of the grid."""
    figures: dict[str, Any] = {}
    figures["first"] = statistics.median(first_page(page, url, run) for _ in range(_REPEATS))
    boxes = [move_box(page, turn) for turn in range(_REPEATS)]
    keys = [move_slider(page, turn) for turn in range(_REPEATS)]
    figures["band by box (ms)"], figures["band by slider (ms)"] = statistics.median(boxes), statistics.median(keys)
    figures["band"] = max(figures["band by box (ms)"], figures["band by slider (ms)"])
    figures["preview"] = statistics.median(previewed(page) for _ in range(_REPEATS))
    page.goto(f"{url}/outliers?run={run}")
    page.wait_for_function("window.tiles && window.tiles()")
    figures["grid"] = statistics.median(next_grid_page(page) for _ in range(_REPEATS))
    figures["grid page by its number (ms)"] = statistics.median(any_grid_page(page, 4 + turn * 7 % 25) for turn in range(_REPEATS))
    figures["like"] = statistics.median(more_like(page, 3 + turn) for turn in range(_REPEATS))
    page.goto(f"{url}/outliers?run={run}&alone=true")
    page.wait_for_function("window.alone && window.alone()")
    page.locator(".tile.current").focus()
    figures["key"] = statistics.median(next_image(page) for _ in range(_REPEATS))
    figures["verdicts"] = recorded(page, url, run)
    return figures


def report(results: dict[str, Any]) -> str:
    """The table of all measured sizes."""
    lines = [
        "# Latency of the dashboard",
        "",
        "Made by `python -m tests.tools.latency`. Headless Chromium, 1280 px, median of 20; targets in parentheses. The outliers of a real",
        "MiniWorld run were repeated under new numbers to reach these sizes, their id_confidence drawn evenly from 0 to 1.",
        "",
        "| what | " + " | ".join(results) + " |",
        "| --- |" + " ---: |" * len(results),
    ]
    for name, (what, unit, small, large) in TARGETS.items():
        cells = []
        for entry in results.values():
            target = small if entry["outliers"] <= _SMALL else large
            aim = "" if target is None else f" ({target:,} {unit})"
            shown = entry.get(name)
            cells.append(
                "not measured" if shown is None else f"{shown:,.{2 if unit in ('s', 'GB') else 0}f} {unit}{aim}".replace(" )", ")")
            )
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    further = sorted({key for entry in results.values() for key in entry if key.endswith(")")})
    lines += [
        f"| {key} | " + " | ".join(f"{entry[key]:.2f}" if key in entry else "" for entry in results.values()) + " |" for key in further
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="id of a finished run in BADOOD_HOME")
    parser.add_argument("--outliers", type=int, default=2000, help="size of the run that is measured")
    parser.add_argument("--busy", action="store_true", help="while a retrain runs in the background")
    parser.add_argument("--store", type=Path, help="folder for the large run, kept and used again; none = a temporary one")
    parser.add_argument("--prepare", action="store_true", help="make the large run and measure nothing")
    given = parser.parse_args()
    with nullcontext(given.store) if given.store else tempfile.TemporaryDirectory(prefix="latency-") as folder:
        store = Path(folder)
        if not (store / given.run).exists():
            enlarge(open_run(given.run), given.outliers, store)
        if given.prepare:
            return
        os.environ["BADOOD_HOME"] = str(store)
        figures = measure(store, given.run, busy=given.busy)
    results = read_json(RESULTS) if RESULTS.exists() else {}
    name = f"{given.outliers:,} outliers" + (", while a retrain runs" if given.busy else "")
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    results[name] = {"outliers": given.outliers, "machine": machine, "date": f"{pd.Timestamp.now():%Y-%m-%d}", **figures}
    RESULTS.parent.mkdir(exist_ok=True)
    write_json(RESULTS, results)
    with atomic_file(RESULTS.with_suffix(".md")) as part:
        part.write_text(report(results))
    print(json.dumps(results[name], indent=2))


if __name__ == "__main__":
    main()
