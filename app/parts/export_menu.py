"""Take a selection away: images, table, scores, report."""

import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from badood.explore.export import export_csv, export_folder, export_parquet
from badood.explore.finished import Finished
from badood.explore.report import write_report
from badood.store import open_database, tags
from badood.store import verdicts as judging

Ids = NDArray[np.int64]

_LARGEST = 20_000
"""Outliers whose images go through the browser; more are for the command line."""


def export_menu(found: Finished, ids: Callable[[], Ids], count: int, *, band: tuple[float, float] | None = None, key: str) -> None:
    """A button that opens the kinds of export.

    Args:
        ids: outlier_id of the selection, asked for when a file is made. count: how many they are.
        band: shown in the report. key: of the widgets.
    """
    with st.popover(f"Export {count:,} outliers", icon=":material/download:", key=f"{key} export"):
        if not count:
            st.caption("The selection is empty." + " The report covers the whole run." * found.scored)
        elif count > _LARGEST:
            st.caption(f"More than {_LARGEST:,} images are too many for a browser. In a terminal: `python -m badood export --help`.")
        name = f"{found.run.id}-{count}"
        off = not count or count > _LARGEST
        _button("Image folder (zip)", partial(_folder, found, ids), f"{name}.zip", "application/zip", key, disabled=off)
        _button("Parquet for Hugging Face", partial(_parquet, found, ids), f"{name}.parquet", "application/octet-stream", key, disabled=off)
        _button("Scores (CSV)", partial(_csv, found, ids), f"{name}.csv", "text/csv", key, disabled=not count)
        _button(
            "Report of the run (HTML)", partial(_report, found, band), f"{found.run.id}.html", "text/html", key, disabled=not found.scored
        )


def _button(label: str, make: Callable[[], bytes], name: str, mime: str, key: str, *, disabled: bool) -> None:
    st.download_button(label, make, name, mime, key=f"{key} {label}", on_click="ignore", width="stretch", disabled=disabled)


def _csv(found: Finished, ids: Callable[[], Ids]) -> bytes:
    return _made("scores.csv", lambda path: export_csv(found.outliers, path, ids().tolist(), _verdicts(found)))


def _parquet(found: Finished, ids: Callable[[], Ids]) -> bytes:
    return _made("outliers.parquet", lambda path: export_parquet(found.outliers, path, ids().tolist(), _verdicts(found)))


def _report(found: Finished, band: tuple[float, float] | None) -> bytes:
    return _made("report.html", lambda path: write_report(found, path, band, judging.of_each(open_database(), found.run.id)))


def _folder(found: Finished, ids: Callable[[], Ids]) -> bytes:
    def pack(path: Path) -> None:
        folder = export_folder(found.outliers, path.with_suffix(""), ids().tolist(), _verdicts(found))
        # PNGs do not get smaller
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for part in sorted(folder.rglob("*")):
                file.write(part, part.relative_to(folder))

    return _made("outliers.zip", pack)


def _verdicts(found: Finished) -> pd.DataFrame:
    return tags.with_verdicts(open_database(), found.run.id)


def _made(name: str, write: Callable[[Path], object]) -> bytes:
    """The bytes of a file that `write` makes at a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
