"""Ten thousand hostile inputs through every reader: `make hostile`, or `python -m tests.tools.hostile --inputs N --seed S`.

Counts go to `results/hostile.json` and as a table to `results/hostile.md`; the exit code is 1 where an input did harm.
"""

import argparse
import logging
import os
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

from badood.core.artefacts import atomic_file, read_json, write_json
from tests.faults.doors import DOORS
from tests.faults.hostile import Outcome, explore, shared_out
from tests.tools.browsing import CHECKOUT

RESULTS = CHECKOUT / "results" / "hostile.json"


def report(outcomes: dict[str, Outcome], seed: int) -> str:
    """The table."""
    lines = [
        "# Hostile inputs",
        "",
        f"Made by `python -m tests.tools.hostile --inputs N --seed {seed}` (`make hostile`). An input is read or refused in words; a failure is a traceback, a",
        "file written elsewhere, code that ran, more than 1,200 MB, or more than 20 s.",
        "",
        "| way in | tried | read | refused | failures | most MB | slowest, s |",
        "| --- |" + " ---: |" * 6,
    ]
    for name, each in outcomes.items():
        wrong = sum(count for count, _ in each.failures.values())
        read = each.tried - each.refused - wrong
        lines.append(f"| {name} | {each.tried:,} | {read:,} | {each.refused:,} | {wrong:,} | {each.peak_mb:,.0f} | {each.slowest:.1f} |")
    tried, refused = (sum(getattr(each, name) for each in outcomes.values()) for name in ("tried", "refused"))
    wrong = sum(count for each in outcomes.values() for count, _ in each.failures.values())
    lines.append(f"| **all** | {tried:,} | {tried - refused - wrong:,} | {refused:,} | {wrong:,} | | |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--doors", nargs="*", choices=list(DOORS), help="these alone; the table keeps what it has of the others")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    chosen = given.doors or list(DOORS)
    before = read_json(RESULTS)["doors"] if given.doors and RESULTS.exists() else {}
    outcomes = {name: Outcome(**before[name]) for name in DOORS if name in before}
    with tempfile.TemporaryDirectory() as top:
        os.environ["BADOOD_HOME"] = f"{top}/store"
        for name, count in shared_out(given.inputs).items():
            if name not in chosen:
                continue
            place = Path(top) / name.replace(" ", "-")
            place.mkdir()
            outcomes[name] = explore(name, count, place, given.seed)
            print(
                f"{name}: {outcomes[name].tried:,} tried, {outcomes[name].refused:,} refused, {len(outcomes[name].failures)} kinds of failures",
                flush=True,
            )
            for kind, (times, first) in outcomes[name].failures.items():
                print(f"  {times} x {kind}\n    first: {first}", flush=True)
    write_json(RESULTS, {"seed": given.seed, "doors": {name: asdict(each) for name, each in outcomes.items()}})
    with atomic_file(RESULTS.with_suffix(".md")) as part:
        part.write_text(report(outcomes, given.seed))
    print(report(outcomes, given.seed))
    return int(any(each.failures for each in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
