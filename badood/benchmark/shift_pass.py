"""What all scorers that read one forward pass cost on a shift grid, beside the pass itself: `python -m badood.benchmark.shift_pass`.

The sizes are those of the preset miniworld; the weights are random and a few rendered images return, as the time depends on neither. Times are
the processor's, of all threads, and the two are taken in turn: other work on the machine disturbs them less. Fitting is not in it, it is done
once a detector.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from badood.config import Source, load_config
from badood.core.rows import Rows
from badood.data.splits import load
from badood.detect.backbone import Detector
from badood.detect.scorers import Scorer, named, scorer
from badood.detect.train import score
from badood.pipeline.judge import baselines, in_parts
from badood.pipeline.raw_score import CHUNK
from badood.pipeline.stage import Context
from badood.pipeline.stages.evaluate import shift_of

RENDERED = 4
"""Images a cell that are rendered."""


def measure(per_cell: int, repeats: int) -> tuple[list[float], list[float], int]:
    """Seconds of every plain pass over the grid, seconds of every pass with all scores and the table, and the number of scorers."""
    cfg = load_config("miniworld", ["compute.device=cpu"])
    compute = Context(cfg.compute).compute
    rendered = load(Source(dataset="miniworld-grid", split="test", params={"per_cell": RENDERED}), None)
    network = compute.place(Detector(cfg.detector, len(rendered.classes))).eval()
    see = partial(score, network, compute=compute)
    made: dict[str, Scorer] = {name: named(name)[1] for name in scorer if "images" not in scorer[name].needs}
    with tempfile.TemporaryDirectory() as folder:
        np.save(file := Path(folder) / "images.npy", rendered.pixels(cfg.data.image_size).numpy())

        def rows(count: int) -> NDArray[np.int64]:
            return np.resize(np.arange(len(rendered)), count)

        every, grid_rows = Rows((file,)), rows(64 * per_cell)
        grid, levels = every.take(grid_rows), {name: values[grid_rows] for name, values in rendered.levels.items()}
        fit = rows(round(cfg.data.train.params["count"] * (1 - cfg.data.validation_share)))
        seen, labels = see(every.take(fit)), torch.from_numpy(rendered.labels[fit])
        for each in made.values():
            each.fit(seen, labels)
        known = in_parts(partial(baselines, made), see, every.take(rows(cfg.data.test.params["count"])))

        def plain() -> None:
            for part in grid.parts(CHUNK):
                see(part)

        def scored() -> None:
            shift_of(levels, list(made), known, in_parts(partial(baselines, made), see, grid))

        plain()  # the first pass takes longer
        seconds = [(_seconds(plain), _seconds(scored)) for _ in range(repeats)]
    return [first for first, _ in seconds], [second for _, second in seconds], len(made)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-cell", type=int, default=500, help="images in each of the 64 cells")
    parser.add_argument("--repeats", type=int, default=3, help="timings of which the median is taken")
    asked = parser.parse_args()
    plain, scored, scorers = measure(asked.per_cell, asked.repeats)
    ratio = statistics.median(scored) / statistics.median(plain)
    print(
        f"{scorers} scorers on 64 x {asked.per_cell} images: {ratio:.2f} x one plain forward pass "
        f"({statistics.median(scored):.1f} s against {statistics.median(plain):.1f} s)."
    )


if __name__ == "__main__":
    main()
