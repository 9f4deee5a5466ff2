"""A run once more from its own record, and what came out otherwise."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet

from badood.core.errors import BadInput
from badood.core.progress import Progress
from badood.evaluate.metrics import METRICS
from badood.pipeline.artefacts import Table
from badood.pipeline.path import run as run_path
from badood.pipeline.run import Run
from badood.pipeline.runs import list_runs

AGAIN = "-again"
"""What the name of the repetition ends in."""


def rerun(before: Run, progress: Progress | None = None) -> tuple[Run, pd.DataFrame]:
    """Make a finished run again, from images on, with the settings of its `run.json`.

    Returns:
        The repetition, "NAME-again", and what differs: place (a column of the outliers, or a filter's metric), what (how), before, after; empty
        where both are equal.

    Raises:
        BadInput: the run is not finished, or its repetition is there already.
    """
    if before.record["state"] != "done":
        raise BadInput(
            f"run {before.id} is {before.record['state']}; finish it first: `python -m badood run` goes on where it was cut off."
        )
    name = before.id + AGAIN
    if any(each.id == name for each in list_runs()):
        raise BadInput(f"run {name} is there already; delete it first: `python -m badood runs delete {name}`.")
    after = run_path(before.cfg, name, progress)
    return after, pd.DataFrame([*_outliers(before, after), *_rows(before, after)], columns=["place", "what", "before", "after"])


def _outliers(before: Run, after: Run) -> Iterator[tuple[str, str, object, object]]:
    """Columns of the table of outliers that differ, images among them."""
    one, other = (parquet.read_table(Table(each.folder / each.record["results"]["outliers"]).path) for each in (before, after))
    if len(one) != len(other):
        yield "outliers", "rows", len(one), len(other)
        return
    for column in one.column_names:
        if one[column].equals(other[column]):
            continue
        numbers = pd.api.types.is_numeric_dtype(one[column].to_pandas()) and column != "image"
        if numbers:
            apart = np.abs(one[column].to_numpy().astype(float) - other[column].to_numpy().astype(float))
            if np.nanmax(apart) > 0:  # two that are not numbers are no difference
                yield f"outliers: {column}", "largest difference", 0.0, float(np.nanmax(apart))
        else:
            differ = sum(a != b for a, b in zip(one[column].to_pylist(), other[column].to_pylist(), strict=True))
            yield f"outliers: {column}", "rows that differ", 0, differ


def _rows(before: Run, after: Run) -> Iterator[tuple[str, str, object, object]]:
    """Rows of the filter table whose figures differ; those of later retrains are not of the run's own settings."""
    for name, row in after.rows.items():
        known = before.rows.get(name)
        if known is None:
            yield f"filter {name}", "row", "absent", "there"
            continue
        for metric in ("kept", *METRICS, "id_accuracy"):
            old, new = getattr(known, metric), getattr(row, metric)
            if old != new and not (old != old and new != new):
                yield f"filter {name}", metric, old, new
