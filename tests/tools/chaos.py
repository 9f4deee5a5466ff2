"""Faults one after another: `make chaos`, or `python -m tests.tools.chaos --seed S [--share 0.1]`.

Counts go to `results/chaos.json` and as a table to `results/chaos.md`; the exit code is 1 where a fault was not survived. What this
machine lacks (leave to mount, PostgreSQL, Redis) is told and left out.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from badood.core.artefacts import atomic_file, write_json
from tests.faults.chaos import FAULTS, World, can_mount
from tests.faults.workers import has_servers
from tests.tools.browsing import CHECKOUT

RESULTS = CHECKOUT / "results" / "chaos.json"


def lacking(top: Path) -> dict[str, str]:
    """By name of a fault what it needs and this machine has not."""
    mount = {} if can_mount(top) else {"disk full": "leave to mount", "store read-only": "leave to mount"}
    return mount | ({} if has_servers() else {"database and queue away for 30 s": "PostgreSQL, Redis and root"})


def report(told: dict[str, dict[str, Any]], seed: int) -> str:
    """The table."""
    lines = [
        "# Faults",
        "",
        f"Made by `python -m tests.tools.chaos --seed {seed}` (`make chaos`). Survived: the work went on when it was started again, every table and file is that of",
        "a run that nobody disturbed, what went wrong was told without a traceback, and no process, no temporary file and no lost verdict is left.",
        "",
        "| fault | injected | survived | failures | seconds each |",
        "| --- |" + " ---: |" * 4,
    ]
    for name, each in told.items():
        lines.append(f"| {name} | {each['injected']} | {each['survived']} | {len(each['failures'])} | {each['seconds']:.0f} |")
    whole = {key: sum(each[key] for each in told.values()) for key in ("injected", "survived")}
    lines.append(f"| **all** | {whole['injected']} | {whole['survived']} | {sum(len(each['failures']) for each in told.values())} | |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the faults of each kind; at least one is injected")
    given = parser.parse_args()
    told: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as top:
        left_out = lacking(Path(top))
        world = World(Path(top), given.seed)
        for name, (inject, times) in FAULTS.items():
            if name in left_out:
                print(f"{name}: left out, this machine lacks {left_out[name]}", flush=True)
                continue
            count, failures, start = max(1, round(times * given.share)), list[str](), time.monotonic()
            for _ in range(count):
                wrong = inject(world)
                failures += ["; ".join(wrong)] if wrong else []
            seconds = (time.monotonic() - start) / count
            told[name] = {"injected": count, "survived": count - len(failures), "failures": failures, "seconds": seconds}
            print(f"{name}: {count} injected, {count - len(failures)} survived {failures}", flush=True)
            write_json(RESULTS, {"seed": given.seed, "cores": os.cpu_count(), "load": os.getloadavg()[1], "faults": told})
            with atomic_file(RESULTS.with_suffix(".md")) as part:
                part.write_text(report(told, given.seed))
    print(report(told, given.seed))
    return int(any(each["failures"] for each in told.values()))


if __name__ == "__main__":
    sys.exit(main())
