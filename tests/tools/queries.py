"""How long the store's queries take on a large run, server side: `python -m tests.tools.queries RUN`, after `tests.tools.latency ... --prepare` made one.

Figures go to `results/queries.json`, beside those of other sizes, and as a table to `results/queries.md`.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from badood.core.artefacts import atomic_file, read_json, write_json
from badood.explore.finished import Finished, finished
from badood.explore.queries import Filters
from tests.tools.browsing import CHECKOUT

RESULTS = CHECKOUT / "results" / "queries.json"
_REPEATS = 20

TARGETS = {
    "band": ("a band: counts by class, type and source, and histogram", 50),
    "page": ("a page of 60, sorted and filtered, far from the first", 100),
    "alike": ("the 300 that are most alike to one, by cosine", None),
    "edges": ("the images nearest to both ends of a band", None),
    "images": ("60 images, read from the file", None),
}
"""Row: what, target in ms up to a million outliers; none = there is none."""


def cases(found: Finished) -> dict[str, Callable[[int], Any]]:
    """By name of `TARGETS` what is timed; each turn asks for something else."""
    outliers = found.outliers

    def band(turn: int) -> None:
        filters = Filters(id_confidence=(0.2 + 0.01 * turn, 0.5 + 0.01 * turn))
        for column in ("anchor_class", "ood_type", "source"):
            outliers.kept_mix(column, filters)
        outliers.histogram(filters=filters)

    def page(turn: int) -> None:
        kept = Filters(id_confidence=(0.1, 0.9), ood_type=("OOD-I", "OOD-II"))
        outliers.page(kept, sort="harm", descending=True, offset=60 * (100 + turn), limit=60)

    rng = np.random.default_rng(0)
    return {
        "band": band,
        "page": page,
        "alike": lambda turn: found.alike(17 * turn),
        "edges": lambda turn: outliers.edges(0.2 + 0.01 * turn, 0.6 + 0.01 * turn),
        "images": lambda turn: outliers.images(rng.choice(len(outliers), 60, replace=False).tolist()),
    }


def median_ms(ask: Callable[[int], Any]) -> float:
    """Median wall time of `_REPEATS` turns, after one that warms up."""
    ask(_REPEATS)
    spent = []
    for turn in range(_REPEATS):
        start = time.perf_counter()
        ask(turn)
        spent.append(1000 * (time.perf_counter() - start))
    return statistics.median(spent)


def report(results: dict[str, dict[str, Any]]) -> str:
    """The table of all measured sizes."""
    lines = [
        "# Queries over a run's outliers",
        "",
        f"Made by `python -m tests.tools.queries RUN`. Server side, median of {_REPEATS}, in ms; targets in parentheses.",
        "",
        "| what | " + " | ".join(results) + " |",
        "| --- |" + " ---: |" * len(results),
    ]
    for name, (what, target) in TARGETS.items():
        aim = "" if target is None else f" ({target})"
        lines.append(f"| {what} | " + " | ".join(f"{entry[name]:.1f}{aim}" for entry in results.values()) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="id of a finished run in BADOOD_HOME")
    found = finished(parser.parse_args().run)
    results = read_json(RESULTS) if RESULTS.exists() else {}
    figures = {name: median_ms(ask) for name, ask in cases(found).items()}
    results[f"{len(found.outliers):,} outliers"] = {"outliers": len(found.outliers), "cores": os.cpu_count(), **figures}
    write_json(RESULTS, results)
    with atomic_file(RESULTS.with_suffix(".md")) as part:
        part.write_text(report(results))
    print(report(results))


if __name__ == "__main__":
    main()
