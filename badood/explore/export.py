"""A selection of outliers for other tools: image folder, parquet for Hugging Face `datasets`, CSV of the scores."""

import io
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as parquet
from PIL import Image

from badood.core.artefacts import atomic_file, disk_errors
from badood.core.errors import BadInput
from badood.explore.queries import Filters, Outliers
from badood.pipeline.stages.table import write_outliers

_BATCH = 256

Kind = Literal["folder", "parquet", "csv", "report"]

SUFFIXES: dict[str, Kind] = {"": "folder", ".parquet": "parquet", ".csv": "csv", ".html": "report", ".htm": "report"}
"""What is written to a name of each ending."""

_LONGEST = 200
"""Bytes of a folder's name; file systems take 255."""


def kind_of(path: Path) -> Kind:
    """What to write to a path, by the ending of its name; without one, or where it is a number, an image folder.

    Raises:
        BadInput: the ending says something else.
    """
    ending = path.suffix.lower()
    if ending[1:].isdigit():
        return "folder"
    if ending not in SUFFIXES:
        known = ", ".join(f"{name} ({kind})" for name, kind in SUFFIXES.items() if name and name != ".htm")
        raise BadInput(
            f"{path} ends in {path.suffix}, which says not what to write: end it in {known}, give --as, or leave the ending away."
        )
    return SUFFIXES[ending]


VERDICT = ("verdict", "verdict_note", "verdict_who", "verdict_at", "tags")
"""Columns of an export that say what people think of an outlier; empty where nobody judged it, or put a tag on it."""


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet computes. Source: OWASP, "CSV Injection"."""


def export_csv(outliers: Outliers, out: Path, ids: Sequence[int] | None = None, verdicts: pd.DataFrame | None = None) -> Path:
    """Scores of the outliers, a row each, all columns but the image. Texts that a spreadsheet would take for a formula begin with an apostrophe.

    Args:
        ids: outlier_id of the selection; None = all.
        verdicts: those that stand and tags, as `store.tags.with_verdicts` gives them: they are exported as columns `VERDICT`; none = without these.

    Raises:
        BadInput: the selection is empty or names outliers the run lacks.
    """
    _check(outliers, ids)
    with atomic_file(out) as part:
        _no_formulas(with_verdicts(outliers.table(_selected(ids)), verdicts)).to_csv(part, index=False)
    return out


def _no_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before each text that a spreadsheet would compute: notes and names are other people's. Names of files stay."""
    texts: pd.DataFrame = table.select_dtypes("str").drop(columns="file_name", errors="ignore")
    return table.assign(**texts.where(~texts.apply(lambda column: column.str.startswith(_FORMULA, na=False)), "'" + texts))


def export_folder(outliers: Outliers, out: Path, ids: Sequence[int] | None = None, verdicts: pd.DataFrame | None = None) -> Path:
    """An image folder: `<anchor_class>/<outlier_id>.png`, of outliers without an anchor `<source>/<outlier_id>.png`, and `metadata.csv` with a column file_name, as `datasets` reads it.

    Args:
        out: folder that does not exist yet. ids: as for `export_csv`. verdicts: as there.
    """
    _check(outliers, ids)
    if out.exists():
        raise BadInput(f"{out} exists already; give a folder that is not there yet.")
    table = outliers.table(_selected(ids))
    # by all classes of the run, so that a class has the same folder whatever is selected
    folders = folder_names(_groups(outliers.table()))
    names = [f"{folders[group]}/{number}.png" for group, number in zip(_groups(table), table["outlier_id"], strict=True)]
    table.insert(0, "file_name", names)
    table = with_verdicts(table, verdicts)
    with disk_errors(out):
        target = Path(os.path.realpath(out)) if out.is_symlink() else out
        target.parent.mkdir(parents=True, exist_ok=True)
        _fill(target, table, outliers)
    return out


def _fill(out: Path, table: pd.DataFrame, outliers: Outliers) -> None:
    """Write the images and `metadata.csv` into a hidden folder, which gets its name when it is whole."""
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export.", suffix=".deleted") as hidden:
        part = Path(hidden) / "export"
        part.mkdir()
        for first in range(0, len(table), _BATCH):
            rows = table.iloc[first : first + _BATCH]
            for name, data in zip(rows["file_name"], outliers.images(rows["outlier_id"].tolist()).values(), strict=True):
                (part / name).parent.mkdir(exist_ok=True)
                _write_png(part / name, data)
        _no_formulas(table).to_csv(part / "metadata.csv", index=False)
        part.rename(out)


def export_parquet(outliers: Outliers, out: Path, ids: Sequence[int] | None = None, verdicts: pd.DataFrame | None = None) -> Path:
    """A parquet file with all columns and the image, which `datasets.load_dataset("parquet", ...)` shows as images.

    Args:
        ids: as for `export_csv`. verdicts: as there.
    """
    _check(outliers, ids)
    wanted = None if ids is None else pa.array([int(i) for i in ids], pa.int64())
    if outliers.plain is not None and outliers.pixels is not None:
        numbers = outliers.plain["outlier_id"].to_numpy()
        rows = np.flatnonzero(np.isin(numbers, numbers if ids is None else list(ids)))
        with atomic_file(out) as part:
            write_outliers(part, _judged(outliers.plain.take(pa.array(rows)), verdicts), outliers.pixels.take(rows))
        return out
    source = parquet.ParquetFile(outliers.path)
    schema = _judged(source.schema_arrow.empty_table(), verdicts).schema
    with atomic_file(out) as part, parquet.ParquetWriter(part, schema) as writer:
        for batch in source.iter_batches(_BATCH):
            keep = batch if wanted is None else batch.filter(pyarrow.compute.is_in(batch["outlier_id"], wanted))
            if len(keep):
                writer.write_table(_judged(pa.Table.from_batches([keep]), verdicts))
    return out


def with_verdicts(table: pd.DataFrame, verdicts: pd.DataFrame | None) -> pd.DataFrame:
    """The table with columns `VERDICT`: texts, the time as ISO 8601.

    Args:
        table: with outlier_id. verdicts: as for `export_csv`.
    """
    if verdicts is None:
        return table
    given = verdicts.set_index("outlier_id").reindex(table["outlier_id"])
    at = [None if pd.isna(moment) else moment.isoformat(timespec="seconds") for moment in given["at"]]
    told: dict[str, Iterable[object]] = {
        "verdict": given["verdict"],
        "verdict_note": given["note"],
        "verdict_who": given["who"],
        "verdict_at": at,
        "tags": given["tags"],
    }
    texts = {name: pd.Series(list(values), index=table.index, dtype="str").fillna("") for name, values in told.items()}
    return table.assign(**texts)


def _judged(table: pa.Table, verdicts: pd.DataFrame | None) -> pa.Table:
    """The same for a table of arrow's."""
    if verdicts is None:
        return table
    told = with_verdicts(table.select(["outlier_id"]).to_pandas(), verdicts)
    for name in VERDICT:
        table = table.append_column(name, pa.array(told[name].tolist(), pa.string()))
    return table


EXPORTS: dict[str, Callable[[Outliers, Path, Sequence[int] | None, pd.DataFrame | None], Path]] = {
    "folder": export_folder,
    "parquet": export_parquet,
    "csv": export_csv,
}
"""The kinds of export by name."""


def _selected(ids: Sequence[int] | None) -> Filters:
    return Filters(outlier_id=None if ids is None else tuple(int(i) for i in ids))


def _check(outliers: Outliers, ids: Sequence[int] | None) -> None:
    found, wanted = outliers.count(_selected(ids)), len(outliers) if ids is None else len(set(ids))
    if found == 0:
        raise BadInput("the selection holds no outlier, so there is nothing to export; widen the filters or the band.")
    if found < wanted:
        raise BadInput(f"the selection names {wanted:,} outliers and {outliers.path} has {found:,} of them; select again in this run.")


def _groups(table: pd.DataFrame) -> list[str]:
    """The anchor's class of each outlier; where it has none its source."""
    sources = table["source"] if "source" in table else pd.Series("outliers", index=table.index)
    classes = table.get("anchor_class", sources)
    return classes.where(classes.notna() & (classes != ""), sources).astype(str).tolist()


def folder_names(classes: Iterable[str]) -> dict[str, str]:
    """A folder for each class: no separators, no leading dot, and no two alike, not even for a system that tells no case apart.

    A class whose name is a folder's already keeps it; of others that would share one, the later get a number.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(classes), key=lambda name: (_plain(name) != name, name)):
        plain, number = _plain(name), 1
        folder = plain
        while (sort := unicodedata.normalize("NFKC", folder).casefold()) in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(sort)
        names[name] = folder
    return names


def _plain(name: str) -> str:
    """Letters, digits, spaces, - and _ of a name; the rest as _."""
    plain = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in name)
    return plain.encode()[:_LONGEST].decode(errors="ignore").strip() or "_"


def _write_png(path: Path, data: bytes) -> None:
    """PNG bytes as they are; any other lossless format is written anew."""
    if data.startswith(b"\x89PNG"):
        path.write_bytes(data)
    else:
        Image.open(io.BytesIO(data)).save(path, "PNG")
