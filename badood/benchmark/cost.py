"""What a run costs by the number of its outliers, measured small and scaled: `python -m badood.benchmark.cost [--preset P] [--save]`.

Every stage's time and disk grow as fixed + n * each, the method's stages being maps over rows. Two numbers of outliers give both terms; a third,
which is none of them, is foretold and measured, so that the page says how far the scaling holds.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from badood.benchmark.memory import recorded
from badood.core.artefacts import atomic_file, read_json, write_json
from badood.core.compute import choose
from badood.core.places import results

COUNTS = (200, 600, 1800)
"""The largest is foretold from the others."""
SCALES = (100, 10**6, 10**8)
"""Numbers of outliers that the page tells."""
SETTINGS = ("evaluate.filters=[all]", "data.grid=null", "evaluate.harm_subsets=4")
"""One detector on all outliers, so that a table of filters does not count as growth: each further filter costs what `detect` costs."""

Measured = Mapping[str, Mapping[int, float]]
"""A figure by stage and number of outliers."""


@dataclass(frozen=True)
class Line:
    """fixed + n * each."""

    fixed: float
    each: float

    @classmethod
    def through(cls, points: Mapping[int, float]) -> "Line":
        """The line through two points, by least squares through more; neither term below 0."""
        counts = np.array(list(points), dtype=float)
        values = np.array([points[count] for count in points])
        each = max(0.0, float(np.polyfit(counts, values, 1)[0])) if len(points) > 1 else 0.0
        return cls(max(0.0, float((values - each * counts).mean())), each)

    def at(self, count: int) -> float:
        """Its value."""
        return self.fixed + self.each * count


def measure(preset: str, counts: Sequence[int] = COUNTS) -> dict[str, dict[str, dict[int, float]]]:
    """`seconds` and `mb` (of the run's folder) by stage and number of outliers, of runs with the preset's generator."""
    seconds: dict[str, dict[int, float]] = {}
    size: dict[str, dict[int, float]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            record = recorded(Path(folder), ["--preset", preset], [*SETTINGS, f"synthesise.count={count}"])
            for stage, entry in record["stages"].items():
                seconds.setdefault(stage, {})[count] = entry["wall_seconds"]
                files = (Path(folder) / "measured" / stage).rglob("*")
                size.setdefault(stage, {})[count] = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
    return {"seconds": seconds, "mb": size}


def foretold(points: Mapping[int, float]) -> tuple[Line, float]:
    """The line of all numbers but the largest, and the largest's value over what that line foretells."""
    largest = max(points)
    line = Line.through({count: value for count, value in points.items() if count != largest})
    return line, points[largest] / max(1e-9, line.at(largest))


def total(figure: Measured) -> dict[int, float]:
    """The sum over stages by number of outliers."""
    counts = next(iter(figure.values()))
    return {count: sum(stage.get(count, 0.0) for stage in figure.values()) for count in counts}


def page(found: Mapping[str, Any], generator: Mapping[str, Any]) -> str:
    """The page: time and disk by stage at `SCALES`, how far the scaling held, what is assumed, and the generator of the paper's size.

    Args:
        found: of `measure`, with `preset`, `cpu` and `cores`. generator: `results/speed.json`.
    """
    seconds, size = found["seconds"], found["mb"]
    counts = sorted(next(iter(seconds.values())))
    parts = [
        "# What outliers cost",
        f"Made by `python -m badood.benchmark.cost --preset {found['preset']} --save`: runs of {told(counts)} outliers with the preset's generator, one detector "
        f"on all of them, on {found['cores']} cores ({found['cpu']}). Stages are maps over rows, so time and disk grow as fixed + n * each; both terms are those "
        f"of {told(counts[:-1])} outliers. Foretold from them and measured at {counts[-1]:,}: the ratio in the last column. Only stages that take a thousandth "
        f"of the time or of the disk of a million are listed.",
        "## Time",
        _table(seconds, _hours, 3600),
        "## Disk",
        _table(size, _gigabytes, 1000),
        "## Assumptions",
        "- One machine as above. Rows are shared by `--engine ray` and `torchrun`, so k such machines take a k-th of what grows, and the fixed part as before.\n"
        "- `detect` is one training: its epochs are over the ID images, with as many outliers a batch, so that it hardly grows with n. Every further filter or "
        "seed costs it once more.\n"
        "- Images of one size, in uint8; the encoder's embeddings are kept. Nothing is compressed.\n"
        "- At 100 million the table of outliers no longer fits this machine's memory at once where it is sorted; the dashboard is measured up to one million "
        "([queries](queries.md), [latency](dashboard-latency.md)).",
        "## The generator at the paper's size",
        f"From `badood bench --size {'|'.join(dict.fromkeys(row['size'] for row in generator['rows']))}` ([speed](speed.md); {generator['machine']['name']}), default "
        "mode, linear in n. The device's hours; a GPU's are shorter by its speed, which `badood bench` tells there.",
        _generator(generator["rows"]),
    ]
    return "\n\n".join(parts) + "\n"


def told(counts: Sequence[int]) -> str:
    """Two numbers or more in words."""
    *others, last = (f"{count:,}" for count in counts)
    return f"{', '.join(others)} and {last}"


def _table(figure: Measured, shown: Any, unit: float) -> str:
    whole = total(figure)
    much = foretold(whole)[0].at(SCALES[1]) / 1000
    lines = [
        "| stage | fixed | each 1,000 | " + " | ".join(f"{scale:,}" for scale in SCALES) + " | measured / foretold |",
        "| --- |" + " ---: |" * (len(SCALES) + 3),
    ]
    for stage, points in {**figure, "**run**": whole}.items():
        line, ratio = foretold(points)
        if line.at(SCALES[1]) >= much:
            cells = [shown(line.fixed / unit), shown(1000 * line.each / unit), *(shown(line.at(scale) / unit) for scale in SCALES)]
            lines.append(f"| {stage} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    return "\n".join(lines)


def _generator(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| size | stage | " + " | ".join(f"{scale:,}" for scale in SCALES) + " |", "| --- | --- |" + " ---: |" * len(SCALES)]
    for row in rows:
        if row["mode"] == "default":
            lines.append(
                f"| {row['size']} | {row['stage']} | " + " | ".join(_hours(row["seconds"] * scale / 100 / 3600) for scale in SCALES) + " |"
            )
    return "\n".join(lines)


def _hours(hours: float) -> str:
    return f"{3600 * hours:,.1f} s" if hours < 1 / 60 else f"{60 * hours:,.1f} min" if hours < 1 else f"{hours:,.1f} h"


def _gigabytes(gigabytes: float) -> str:
    return f"{1000 * gigabytes:,.1f} MB" if gigabytes < 1 else f"{gigabytes:,.1f} GB"


def main() -> None:
    """Measure, print, and with --save keep the page in results/cost.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "counts", nargs="*", type=int, default=list(COUNTS), help="three numbers of outliers or more; the largest is foretold"
    )
    parser.add_argument("--preset", default="miniworld")
    parser.add_argument("--save", action="store_true", help="write results/cost.json and .md")
    asked = parser.parse_args()
    place = {"preset": asked.preset, "cpu": choose().device_name(), "cores": os.cpu_count()}
    found = {**place, **measure(asked.preset, asked.counts)}
    text = page(found, read_json(results() / "speed.json"))
    print(text)
    if asked.save:
        write_json(results() / "cost.json", found)
        with atomic_file(results() / "cost.md") as part:
            part.write_text(text)


if __name__ == "__main__":
    main()
