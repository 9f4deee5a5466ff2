"""A selection of outliers for other tools: image folder, parquet for Hugging Face `datasets`, CSV of the scores."""

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as parquet
from PIL import Image

from badood.core.artefacts import atomic_file, disk_errors
from badood.core.errors import BadInput
from badood.explore.queries import Filters, Outliers

_BATCH = 256


def export_csv(outliers: Outliers, out: Path, ids: Sequence[int] | None = None) -> Path:
    """Scores of the outliers, a row each, all columns but the image.

    Args:
        ids: outlier_id of the selection; None = all.

    Raises:
        BadInput: the selection is empty or names outliers the run lacks.
    """
    _check(outliers, ids)
    with atomic_file(out) as part:
        outliers.table(_selected(ids)).to_csv(part, index=False)
    return out


def export_folder(outliers: Outliers, out: Path, ids: Sequence[int] | None = None) -> Path:
    """An image folder: `<anchor_class>/<outlier_id>.png`, and `metadata.csv` with a column file_name, as `datasets` reads it.

    Args:
        out: folder that does not exist yet. ids: as for `export_csv`.
    """
    _check(outliers, ids)
    if out.exists():
        raise BadInput(f"{out} exists already; give a folder that is not there yet.")
    table = outliers.table(_selected(ids))
    table.insert(0, "file_name", [f"{_folder_name(str(row.anchor_class))}/{row.outlier_id}.png" for row in table.itertuples()])
    out.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(out), tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as hidden:
        part = Path(hidden) / "export"
        part.mkdir()
        for first in range(0, len(table), _BATCH):
            rows = table.iloc[first : first + _BATCH]
            for name, data in zip(rows["file_name"], outliers.images(rows["outlier_id"].tolist()).values(), strict=True):
                (part / name).parent.mkdir(exist_ok=True)
                _write_png(part / name, data)
        table.to_csv(part / "metadata.csv", index=False)
        part.rename(out)
    return out


def export_parquet(outliers: Outliers, out: Path, ids: Sequence[int] | None = None) -> Path:
    """A parquet file with all columns and the image, which `datasets.load_dataset("parquet", ...)` shows as images.

    Args:
        ids: as for `export_csv`.
    """
    _check(outliers, ids)
    wanted = None if ids is None else pa.array([int(i) for i in ids], pa.int64())
    source = parquet.ParquetFile(outliers.path)
    with atomic_file(out) as part, parquet.ParquetWriter(part, source.schema_arrow) as writer:
        for batch in source.iter_batches(_BATCH):
            keep = batch if wanted is None else batch.filter(pyarrow.compute.is_in(batch["outlier_id"], wanted))
            if len(keep):
                writer.write_batch(keep)
    return out


EXPORTS: dict[str, Callable[[Outliers, Path, Sequence[int] | None], Path]] = {
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


def _folder_name(name: str) -> str:
    """A class name as a folder: no separators, no leading dot."""
    return "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in name).strip() or "_"


def _write_png(path: Path, data: bytes) -> None:
    """PNG bytes as they are; any other lossless format is written anew."""
    if data.startswith(b"\x89PNG"):
        path.write_bytes(data)
    else:
        Image.open(io.BytesIO(data)).save(path, "PNG")
