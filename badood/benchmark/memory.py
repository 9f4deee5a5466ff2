"""Peak memory of a run by the number of its outliers: `python -m badood.benchmark.memory`.

Images of the small preset's size are imported, so that every stage but the decoder's runs at its full number; the decoder works in groups of
fixed size, whatever the number. Each number runs in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from badood.core.artefacts import atomic_file, read_json, write_json
from badood.core.places import results
from badood.core.rows import pieces

SETTINGS = [
    "data.train.params.count=600",
    "data.test.params.count=200",
    "data.auxiliary.0.params.count=200",
    *(f"data.ood.{place}.params.count=100" for place in range(3)),
    "data.grid=null",
    "detector.epochs=12",
    "evaluate.filters=[all,q-mid]",
    "filter.strategy=all",
    "evaluate.scorers=[msp,energy]",
]
"""Of the preset miniworld: little of everything but outliers."""


def measure(counts: list[int]) -> dict[str, dict[str, float]]:
    """Peak resident memory in MB of every stage, and of the run, by number of outliers."""
    return {str(count): _run(count) for count in counts}


def _run(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        _write_images(Path(folder) / "images.npy", count)
        record = recorded(Path(folder) / "home", ["--outliers", f"{folder}/images.npy", "--only-imported"], SETTINGS)
    return {stage: entry["peak_rss_mb"] for stage, entry in record["stages"].items()} | {"run": record["totals"]["peak_rss_mb"]}


def recorded(home: Path, arguments: Sequence[str], settings: Sequence[str]) -> dict[str, Any]:
    """`run.json` of a run with these arguments and settings, in a process and a store of its own.

    Args:
        home: folder of the store; the run in it is called "measured".

    Raises:
        CalledProcessError: the run failed; it said why.
    """
    command = [sys.executable, "-m", "badood", "run", "--name", "measured", *arguments]
    command += [part for setting in settings for part in ("--set", setting)]
    subprocess.run(command, check=True, env=os.environ | {"BADOOD_HOME": str(home)}, stdout=subprocess.DEVNULL)
    record: dict[str, Any] = read_json(home / "measured" / "run.json")
    return record


def _write_images(path: Path, count: int, size: int = 64) -> None:
    """(count, size, size, 3) uint8: coloured blots, all different."""
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, size, size, 3))
    draws = np.random.default_rng(0)
    for piece in pieces(count, 4096):
        coarse = draws.integers(0, 256, (piece.stop - piece.start, 8, 8, 3), dtype=np.uint8)
        images[piece] = coarse.repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    images.flush()


def markdown(found: dict[str, dict[str, float]]) -> str:
    """A row a stage, MB; last the ratio of the largest number to the smallest."""
    counts = list(found)
    lines = [f"| stage | {' | '.join(f'{int(count):,}' for count in counts)} | ratio |", "| --- |" + " --- |" * (len(counts) + 1)]
    for stage in found[counts[0]]:
        row = [found[count].get(stage, float("nan")) for count in counts]
        lines.append(f"| {stage} | {' | '.join(f'{value:,.0f}' for value in row)} | {row[-1] / row[0]:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and with --save keep the table in results/memory.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[2_000, 20_000, 200_000], help="numbers of outliers")
    parser.add_argument("--save", action="store_true", help="write results/memory.json and .md")
    asked = parser.parse_args()
    found = measure(asked.counts)
    print(markdown(found))
    if asked.save:
        write_json(results() / "memory.json", found)
        with atomic_file(results() / "memory.md") as part:
            part.write_text("Peak resident memory in MB by stage and number of outliers, preset miniworld, 64 px.\n\n" + markdown(found))


if __name__ == "__main__":
    main()
