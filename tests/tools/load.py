"""Many at once: `python -m tests.tools.load RUN [--browsers 25] [--minutes 5] [--jobs 500]`.

Browsers look at the band page of a finished run and move the band, each after a pause of its own; then one worker does many short jobs. Figures go
to `results/load.json` and as a table to `results/load.md`; the exit code is 1 where anything failed. Server, worker and browsers share the cores.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.async_api import Browser, Page, async_playwright

from badood.core.artefacts import atomic_file, write_json
from badood.core.compute import choose
from badood.explore.finished import finished
from badood.jobs import queue
from badood.jobs.worker import start_if_none
from badood.pipeline.runs import open_run
from badood.store import Database, jobs, open_database
from tests.tools.browsing import CHECKOUT, CHROMIUM, FLAGS, served
from tests.tools.kinds import COUNT, import_path
from tests.tools.latency import WATCH

RESULTS = CHECKOUT / "results" / "load.json"
PAUSE = (4.0, 12.0)
"""Seconds between two moves of the band, for someone who looks at what it keeps."""
SETTLED = 50
"""Jobs after which the worker has opened and read all that it needs: what it holds then is what it may hold at the end."""

ARRIVE = 4.0
"""Seconds between two people who open the page: to draw it takes a core for two or three."""

_ANSWERED = "before => window.kept() && window.kept() !== before && window.calm() ? performance.now() - window.began : false"


class Reader:
    """One browser: its own context, band and pauses.

    Attributes:
        waited: milliseconds of each move of the band until figures and images are drawn. wrong: what it saw that it should not.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.rng = random.Random(number)
        self.waited: list[float] = []
        self.wrong: list[str] = []

    async def read(self, browser: Browser, url: str, until: float) -> None:
        """Come in turn, and move the band again and again until then (`time.monotonic`)."""
        await asyncio.sleep(ARRIVE * self.number)
        page = await (await browser.new_context(viewport={"width": 1280, "height": 1000})).new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.wrong.append(f"page error: {error}"))
        page.on("console", lambda told: self._noted(told.text) if told.type == "error" else None)
        page.on("response", lambda reply: self._noted(f"{reply.status} {reply.url}") if reply.status >= 400 else None)
        await page.add_init_script(WATCH)
        try:
            await page.goto(url)
            await page.wait_for_function("window.kept && window.kept() && window.calm()")
            turn = 0
            while time.monotonic() < until:
                await asyncio.sleep(self.rng.uniform(*PAUSE))
                self.waited.append(await self._move(page, turn))
                turn += 1
            exceptions = await page.locator("[data-testid=stException]").all_inner_texts()
            self.wrong += [f"on the page: {text}" for text in exceptions]
        except Exception as error:  # one browser's failure is a figure, the others go on
            self.wrong.append(str(error).splitlines()[0])

    def _noted(self, told: str) -> None:
        """What a console says, or a reply that is an error; not those by which Streamlit finds out under which address it is served."""
        if "/_stcore/" not in told and not told.startswith("Failed to load resource"):  # that has no address; the reply has
            self.wrong.append(told)

    async def _move(self, page: Page, turn: int) -> float:
        await page.get_by_role("slider").nth(turn % 2).focus()
        before = await page.evaluate("window.kept()")
        await page.keyboard.press("PageUp" if turn % 4 < 2 else "PageDown")
        return float(await (await page.wait_for_function(_ANSWERED, arg=before, polling=20, timeout=30_000)).json_value())


async def browse(url: str, count: int, minutes: float) -> list[Reader]:
    """So many browsers, all of them at once for so long."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        readers = [Reader(number) for number in range(count)]
        until = time.monotonic() + ARRIVE * count + 60 * minutes
        await asyncio.gather(*(reader.read(browser, url, until) for reader in readers))
        await browser.close()
    return readers


def looked_at(store: Path, run: str, count: int, minutes: float) -> dict[str, Any]:
    """Figures of browsers on one server."""
    os.environ["BADOOD_HOME"] = str(store)
    with served(store) as (url, process):
        readers = asyncio.run(browse(f"{url}/band?run={run}&lo=0.1&hi=0.6", count, minutes))
        memory = process.memory_info().rss / 2**30
    for worker in jobs.alive_workers(open_database()):  # which the dashboard started
        os.kill(worker.pid, signal.SIGTERM)
    waited = [each for reader in readers for each in reader.waited]
    said = (store / "server.log").read_text()
    return {
        "browsers": count,
        "minutes": minutes,
        "moves": len(waited),
        "median_ms": float(np.median(waited)) if waited else np.nan,
        "p95_ms": float(np.quantile(waited, 0.95)) if waited else np.nan,
        "memory_gb": memory,
        "errors": [error for reader in readers for error in reader.wrong] + ["traceback in the server's log"] * said.count("Traceback"),
    }


def held(worker: psutil.Process, store: Path) -> dict[str, float]:
    """What a worker holds: open files, threads, memory; its processes; and the store's size without the logs of jobs, of which each has one."""
    files = [path for path in store.rglob("*") if path.is_file() and path.parent.name != "logs"]
    return {
        "open files": worker.num_fds(),
        "threads": worker.num_threads(),
        "memory (MB)": worker.memory_info().rss / 2**20,
        "processes": len(worker.children(recursive=True)),
        "files in the store": len(files),
        "store (MB)": sum(path.stat().st_size for path in files) / 2**20,
    }


def worked(store: Path, count: int) -> dict[str, Any]:
    """Figures of a worker that does so many short jobs."""
    os.environ |= {"BADOOD_HOME": str(store), "PYTHONPATH": import_path(store.parent / "plugins", COUNT, "count")}
    database, lines = open_database(), store.parent / "lines"
    lines.mkdir()
    started = start_if_none(database)
    assert started is not None, "the store is new, so no worker is there"
    worker = psutil.Process(started.process.pid)
    begun = time.monotonic()
    asked = [queue.submit("count", {"file": str(lines / str(n)), "steps": 1, "seconds": 0}, f"short {n}").id for n in range(count)]
    _await(database, asked[:SETTLED])
    before = held(worker, store)
    _await(database, asked)
    seconds, after = time.monotonic() - begun, held(worker, store)
    started.process.terminate()
    started.process.wait(30)
    states = [jobs.get(database, job).state for job in asked]
    once = sum(len(path.read_text().splitlines()) == 1 for path in lines.iterdir())
    return {
        "jobs": count,
        "done": states.count("done"),
        "done once": once,
        "seconds each": seconds / count,
        "before": before,
        "after": after,
    }


def _await(database: Database, asked: Iterable[int]) -> None:
    """Wait until all of them have ended."""
    for job in asked:
        while jobs.get(database, job).state in jobs.OPEN:
            time.sleep(0.1)


def report(figures: dict[str, Any]) -> str:
    """The page."""
    seen, did = figures["browsers"], figures["jobs"]
    lines = [
        "# Load",
        "",
        f"Made by `python -m tests.tools.load`. {figures['cores']} cores ({figures['cpu']}), shared by server, worker and browsers.",
        "",
        f"{seen['browsers']} headless Chromium pages for {seen['minutes']:g} minutes on one server, each moving the band of a finished run of "
        f"{figures['outliers']:,} outliers after pauses of {PAUSE[0]:g} to {PAUSE[1]:g} s:",
        "",
        "| what | figure | goal |",
        "| --- | ---: | ---: |",
        f"| moves of the band | {seen['moves']:,} | |",
        f"| until figures and images are drawn, median | {seen['median_ms']:,.0f} ms | |",
        f"| 95th percentile | {seen['p95_ms']:,.0f} ms | 1,000 ms |",
        f"| errors in pages, consoles and the server's log | {len(seen['errors'])} | 0 |",
        f"| memory of the server | {seen['memory_gb']:.2f} GB | |",
        "",
        f"{did['jobs']} short jobs, one after the other: {did['done']} done, {did['done once']} of them exactly once, {did['seconds each']:.1f} s each. "
        f"The worker, after {SETTLED} jobs and after all:",
        "",
        f"| what | after {SETTLED} | after all |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {value:,.0f} | {did['after'][name]:,.0f} |" for name, value in did["before"].items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="id of a finished run in BADOOD_HOME, of which a copy is looked at")
    parser.add_argument("--browsers", type=int, default=25)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=500, help=f"more than {SETTLED}")
    given = parser.parse_args()
    run = open_run(given.run)
    count = sum(finished(given.run).counts.values())
    figures: dict[str, Any] = {"cores": os.cpu_count(), "cpu": choose().device_name(), "outliers": count}
    with tempfile.TemporaryDirectory(prefix="load-") as top:
        store = Path(top) / "looked_at"
        shutil.copytree(run.folder, store / run.id)
        figures["browsers"] = looked_at(store, run.id, given.browsers, given.minutes)
        store = Path(top) / "worked"
        store.mkdir()
        figures["jobs"] = worked(store, given.jobs)
    write_json(RESULTS, figures)
    with atomic_file(RESULTS.with_suffix(".md")) as part:
        part.write_text(report(figures))
    print(report(figures), *figures["browsers"]["errors"], sep="\n")
    return int(bool(figures["browsers"]["errors"]) or figures["jobs"]["done once"] < given.jobs)


if __name__ == "__main__":
    sys.exit(main())
