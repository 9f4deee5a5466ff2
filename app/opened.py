"""Runs that are open: what was read of a run is kept for all visitors until the run changes."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.calibrate import Calibrator
from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.explore.calibrations import compare_calibrators, fitted_calibrators
from badood.explore.finished import Finished
from badood.explore.queries import Outliers
from badood.pipeline.runs import Run, list_runs, open_run


def runs() -> list[Run]:
    """All runs, newest first."""
    return list_runs()


def opened(run_id: str) -> Finished:
    """A run, with what was read of it before.

    Raises:
        BadInput: there is no such run.
    """
    run = open_run(_in_store(run_id))
    record = run.record
    # a sweep is read anew whenever it is looked at
    results = {name: place for name, place in record["results"].items() if not name.startswith("sweep")}
    return _finished(run.folder, str(record["created"]), json.dumps([results, record["config"]], sort_keys=True))


@lru_cache(maxsize=6)
def _finished(folder: Path, created: str, results: str) -> Finished:
    return Finished(open_run(folder))


def _in_store(run_id: str) -> Path:
    """Where a run of the store lies. Links name runs: one that is no name of a folder there leads nowhere else.

    Raises:
        BadInput: it is none.
    """
    if Path(run_id).name != run_id or not (home() / run_id).parent == home():
        raise BadInput(f"no run {run_id[:60]!r} in the store; choose one of those there are.")
    return home() / run_id


def is_ready(run: Run) -> bool:
    """Whether there are outliers to look at."""
    return bool(run.record["results"].get("sources"))


def is_scored(run: Run) -> bool:
    """Whether a detector has looked at the outliers."""
    return "outliers" in run.record["results"]


def groups(found: Finished, *, by_source: bool = False, source: tuple[str, ...] = ()) -> dict[str, NDArray[np.floating]]:
    """id_confidence of ID validation, outliers (or those of each source) and real OOD; of these sources, or of all."""
    return _groups(found, "all" in found.run.record["metrics"], by_source, source)


@lru_cache(maxsize=24)
def _groups(found: Finished, evaluated: bool, by_source: bool, source: tuple[str, ...]) -> dict[str, NDArray[np.floating]]:
    return found.confidence_groups(by_source, source)


@lru_cache(maxsize=6)
def outliers_at(run_id: str, key: str) -> Outliers:
    """The outliers of a run by `Outliers.key`; of a run that is scored, without reading its record.

    Raises:
        BadInput: there are none of this key, or no more.
    """
    place = _in_store(run_id) / "table" / key
    if Path(key).name == key and place.is_dir():
        return Outliers(place / "outliers.parquet")
    early = opened(run_id).outliers
    if early.key != key:
        raise BadInput(f"run {run_id} has gone on since; look at the page again.")
    return early


@lru_cache(maxsize=6)
def calibrations(found: Finished) -> tuple[dict[str, pd.DataFrame], dict[str, Calibrator]]:
    """Reliability tables of all calibrators, and the calibrators fitted on all held-out images."""
    return compare_calibrators(found.reference), fitted_calibrators(found.reference)
