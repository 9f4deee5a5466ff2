"""What Ray costs beyond its start-up: `python -m tests.tools.ray_overhead`. Two workers of a thread each, against this library's own engine on the same two cores.

By turns, so that what else the machine does meets both; once warmed up, so that neither starts anything. Figures go to `results/ray.json` and `.md`.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from badood.config import Config, load_config
from badood.core.artefacts import atomic_file, write_json
from badood.core.rows import pieces
from badood.pipeline.artefacts import Images
from badood.pipeline.engines import Processes
from badood.pipeline.engines.cluster import joined
from badood.pipeline.engines.ray import Ray
from badood.pipeline.models import Models
from badood.pipeline.opened import recorded
from badood.pipeline.path import run
from badood.pipeline.runs import Run, start_run
from badood.pipeline.stage import Context, call
from badood.pipeline.stages import encode as encode_stage
from badood.pipeline.stages.detect import detect
from badood.pipeline.stages.select import everything
from tests.contracts.conftest import tiny_settings
from tests.tools.browsing import CHECKOUT

RESULTS = CHECKOUT / "results" / "ray.json"
_CORES = 2
_IMAGES = 4_096
_DETECTORS = 8
_EPOCHS = 100


@dataclass
class Watch:
    """A `Progress` that notes when how many rows were there."""

    seen: list[tuple[float, int]] = field(default_factory=list)

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        self.seen.append((time.perf_counter(), step))


def noise_images(folder: Path, count: int, size: int) -> Images:
    """An image set of noise: what it shows does not change what an encoder costs."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, 3, size, size))
    for part in pieces(count, 1024):
        images[part] = rng.integers(0, 256, (part.stop - part.start, 3, size, size), dtype=np.uint8)
    pd.DataFrame({"label": np.zeros(count, np.int64), "id": [str(row) for row in range(count)]}).to_parquet(folder / "rows.parquet")
    write_json(folder / "set.json", {"content": f"noise-{count}", "name": "noise", "classes": ["noise"], "skipped": []})
    return Images(folder)


def rows_ms(cfg: Config, images: Images, engine: Callable[[Run, Context], Processes | Ray], threads: int, name: str) -> float:
    """Milliseconds that an image takes the encoder, from the second piece to the last: by then both workers are at work."""
    watch = Watch()
    do = engine(start_run(cfg, name), Context(cfg.compute.model_copy(update={"threads": threads}), watch))
    do(encode_stage.encode, images, Models(cfg).only("encoder"))
    (begun, before), (ended, after) = watch.seen[_CORES - 1], watch.seen[-1]
    return 1000 * (ended - begun) / (after - before)


def detector_seconds(like: Run, engine: Callable[[Run, Context], Processes | Ray], name: str, count: int, epochs: int, seed: int) -> float:
    """Seconds that a detector takes, of `count` that are trained two at a time."""
    do, found = engine(start_run(like.cfg, name), Context(like.cfg.compute.model_copy(update={"threads": _CORES}))), recorded(like)
    kept = do(everything, found.outliers)
    settings = [like.cfg.detector.model_copy(update={"seed": seed + number, "epochs": epochs}) for number in range(count)]
    calls = [call(detect, each, None, found.sets.train, found.outliers, kept, None) for each in settings]
    begun = time.perf_counter()
    do.each(calls, _CORES)
    return (time.perf_counter() - begun) / count


@contextmanager
def _store() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BADOOD_HOME"] = folder
        yield Path(folder)


def measured(repeats: int) -> Iterator[dict[str, dict[str, list[float]]]]:
    """By what is measured and engine, a figure a turn; after each turn."""
    figures: dict[str, dict[str, list[float]]] = {what: {"processes": [], "ray": []} for what in UNITS}
    with _store() as folder, joined():
        like, cfg = run(tiny_settings(folder), "base"), load_config("miniworld", ["compute.precision=fp32"])
        images = noise_images(folder / "noise", _IMAGES, 64)
        engines = {"processes": (Processes, _CORES), "ray": (Ray, 1)}
        for turn in range(repeats):
            for name, (engine, threads) in engines.items():
                figures["image"][name].append(rows_ms(cfg, images, engine, threads, f"rows-{name}-{turn}"))
                detector_seconds(like, engine, f"warm-{name}-{turn}", _CORES, 1, 0)
                figures["detector"][name].append(
                    detector_seconds(like, engine, f"detectors-{name}-{turn}", _DETECTORS, _EPOCHS, 100 * turn)
                )
            yield figures


UNITS = {
    "image": (f"an image through the encoder, of {_IMAGES:,}: 2 workers of a thread against 2 threads", "ms"),
    "detector": (f"a detector, of {_DETECTORS} trained two at a time", "s"),
}


def report(figures: dict[str, dict[str, list[float]]], load: float) -> str:
    lines = [
        "# What Ray costs beyond its start-up",
        "",
        f"Made by `python -m tests.tools.ray_overhead`: {len(figures['image']['ray'])} turns, on {os.cpu_count()} cores that others "
        f"used as well (load {load:.1f} on the mean). Median, and in parentheses the least; the goal is 1.15 times at most.",
        "",
        "| what | own engine | Ray | median ratio | ratio of the least |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for what, (told, unit) in UNITS.items():
        own, ray = figures[what]["processes"], figures[what]["ray"]
        ratio = statistics.median(theirs / ours for ours, theirs in zip(own, ray, strict=True))
        cells = [f"{statistics.median(each):.2f} {unit} ({min(each):.2f})" for each in (own, ray)]
        lines.append(f"| {told} | {cells[0]} | {cells[1]} | {ratio:.2f} | {min(ray) / min(own):.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    loads = [psutil.getloadavg()[0]]
    for figures in measured(repeats):
        loads.append(psutil.getloadavg()[0])
        load = statistics.mean(loads)
        write_json(RESULTS, {"cores": os.cpu_count(), "load": load, **figures})
        with atomic_file(RESULTS.with_suffix(".md")) as part:
            part.write_text(report(figures, load))
    print(report(figures, load))


if __name__ == "__main__":
    main()
