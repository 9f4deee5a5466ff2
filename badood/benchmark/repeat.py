"""Retrains of a finished run with several seeds, so that a difference can be told from chance."""

from collections.abc import Mapping

import pandas as pd

from badood.benchmark.seeded import Seeded, figures
from badood.config import Filter
from badood.pipeline.opened import recorded
from badood.pipeline.runs import Run


def repeat(run: Run, filters: Mapping[str, Filter | None], seeds: int) -> pd.DataFrame:
    """The run's detector retrained on what each filter keeps, and on ID images alone where it is none; see `OpenRun.repeat`.

    Outliers, confidences and scorer are the run's; only the detector's seed changes.
    """
    found, rows = recorded(run), []
    chosen = {name: each for name, each in filters.items() if each is not None}
    with run.at_work():
        for seed in range(seeds):
            at = Seeded.of(run, run.cfg, seed)
            made = {row["row"]: row for row in at.retrained(chosen, found)}
            if len(chosen) < len(filters):
                ((_, alone),) = at.trained([(None, None)], found=found)
                made |= {name: {"row": name, "kept": 0, **figures(alone.metrics)} for name in filters.keys() - chosen.keys()}
            rows += [{"seed": seed, **made[name]} for name in filters]
    return pd.DataFrame(rows)
