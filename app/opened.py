"""Runs that are open: what was read of a run is kept for all visitors until the run changes."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.calibrate import Calibrator
from badood.core.artefacts import home
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
    run = open_run(home() / run_id)
    record = run.record
    return _finished(run.folder, str(record["created"]), str(record.get("outliers")), str(record.get("calibration")))


@lru_cache(maxsize=6)
def _finished(folder: Path, created: str, outliers: str, calibration: str) -> Finished:
    return Finished(open_run(folder))


def is_ready(found: Finished) -> bool:
    """Whether there are outliers to look at."""
    return "outliers" in found.run.record


def groups(found: Finished) -> dict[str, NDArray[np.floating]]:
    """id_confidence of ID validation, outliers and real OOD."""
    return _groups(found, "all" in found.run.record["metrics"])


@lru_cache(maxsize=6)
def _groups(found: Finished, evaluated: bool) -> dict[str, NDArray[np.floating]]:
    return found.confidence_groups()


@lru_cache(maxsize=6)
def outliers_at(run_id: str, key: str) -> Outliers:
    """The outliers of a run by their artefact's key, without reading the run's record."""
    return Outliers(home() / run_id / "outliers" / key / "outliers.parquet")


@lru_cache(maxsize=6)
def calibrations(found: Finished) -> tuple[dict[str, pd.DataFrame], dict[str, Calibrator]]:
    """Reliability tables of all calibrators, and the calibrators fitted on all held-out images."""
    return compare_calibrators(found.reference), fitted_calibrators(found.reference)
