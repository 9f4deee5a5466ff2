"""The outliers of one source, written group by group: memory does not grow with their number, and a killed source goes on at the last group."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.artefacts import atomic_file, write_json
from badood.core.errors import BadInput
from badood.outliers import Given, Group, OutlierSource
from badood.outliers.source import row_groups
from badood.pipeline.artefacts import Encoded, Images, Made
from badood.pipeline.artefacts.outliers import NO_COLUMN
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage

_log = logging.getLogger(__name__)

CHECKPOINT = "training.pt"
"""Of a source that trains, in its folder until its outliers are there."""


def given_to(train: Images, encoded: Encoded | None, models: Models, size: int, ctx: Context, checkpoint: Path | None = None) -> Given:
    """All that a run has for a source.

    Args:
        train, encoded, models, size: as for `outliers`. checkpoint: of a source that trains; none = it keeps none.
    """
    import torch

    return Given(
        size=size,
        compute=ctx.compute,
        progress=ctx.progress,
        labels=train.labels,
        classes=train.classes,
        ids=train.ids.tolist(),
        z0=None if encoded is None else torch.from_numpy(np.array(encoded.z0)),
        models=models.at(ctx),
        images=train.pixels,
        checkpoint=checkpoint,
    )


@stage("outliers", version=1, result=Made)
def outliers(out: Path, source: OutlierSource, train: Images, encoded: Encoded | None, models: Models, size: int, ctx: Context) -> None:
    """`images.npy` (M, 3, S, S) uint8, `rows.parquet`, `source.json`, and `embeddings.npy` (M, D) where the source has them.

    Args:
        source: where they come from.
        train: ID training images. encoded: their z0, where the source needs it. models: those that it needs.
        size: height and width in px.
    """
    given = given_to(train, encoded, models, size, ctx, out / CHECKPOINT)
    total, group = source.total(given), ctx.compute.ranks
    if total == 0:
        raise BadInput(f"outlier source {source} gives no outlier: {_why(source)}")
    done = group.agreed(_done(out))
    inputs = (source, train, encoded, models, size)
    groups = _shared(inputs, total, done, ctx) if source.shared else source.groups(given, done)
    for made in groups:
        if group.first:
            _append(out, made, done, total, size)
        done += len(made.images)
        ctx.progress.update("outliers", done, total)
    if done != total:
        raise BadInput(f"outlier source {source} announced {total:,} outliers and made {done:,}: its files changed meanwhile; start again.")
    if group.first:
        _finish(out)
        (out / CHECKPOINT).unlink(missing_ok=True)
        write_json(
            out / "source.json",
            {"source": str(source), "layout": getattr(source, "layout", ""), "skipped": [asdict(e) for e in source.skipped()]},
        )


def _shared(inputs: tuple[Any, ...], total: int, done: int, ctx: Context) -> Iterator[Group]:
    """The groups of a source whose rows workers may share."""
    rows = [range(int(each[0]), int(each[-1]) + 1) for each in row_groups(total, done, inputs[-1])]
    return ctx.over("outliers", rows, drawing, *inputs)


def drawing(
    source: OutlierSource, train: Images, encoded: Encoded | None, models: Models, size: int, ctx: Context
) -> Callable[[range], Group]:
    """Some rows of a source."""
    draw = source.generator(given_to(train, encoded, models, size, ctx))
    return lambda rows: draw(np.asarray(rows))


def _why(source: OutlierSource) -> str:
    return next((entry.reason for entry in source.skipped()), "it is empty.")


def _parts(out: Path) -> list[Path]:
    """Columns of the groups so far; a group is whole once its columns are there, which are written last."""
    return sorted(out.glob("group-*.parquet"))


def _done(out: Path) -> int:
    """Rows that an earlier attempt finished; from the first group on whose files are damaged all is made again."""
    done, parts = 0, _parts(out)
    for place, path in enumerate(parts):
        rows = _rows(out, path, done)
        if not rows:
            _log.warning("%s is damaged; its outliers are made again from number %s on", out, done)
            arrays = [out / "images.npy", out / "embeddings.npy"] if place == 0 else []  # their headers may be damaged, too
            for each in [*parts[place:], *arrays]:
                each.unlink(missing_ok=True)
            break
        done += rows
    return done


def _rows(out: Path, group: Path, first: int) -> int:
    """Rows of a group; 0 = they are not as they were written."""
    try:
        table = pq.read_table(group, page_checksum_verification=True)
        noted = {name: digest.decode() for key, digest in (table.schema.metadata or {}).items() if (name := key.decode()).endswith(".npy")}
        return len(table) if all(_digest(out / name, first, len(table)) == digest for name, digest in noted.items()) else 0
    except (OSError, ValueError, pa.ArrowException):
        return 0


def _digest(path: Path, first: int, count: int) -> str:
    """Of some rows of an array, of which later ones may be missing."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        row = int(np.prod(shape[1:])) * dtype.itemsize
        file.seek(first * row, os.SEEK_CUR)
        return hashlib.sha256(file.read(count * row)).hexdigest()


def _append(out: Path, made: Group, first: int, total: int, size: int) -> None:
    if made.images.shape[1:] != (3, size, size) or made.images.dtype != np.uint8:
        raise BadInput(f"a source of outliers gave images {made.images.shape} {made.images.dtype}; expected (n, 3, {size}, {size}) uint8.")
    _write(out / "images.npy", made.images, first, total)
    if made.embeddings is not None:
        if not np.isfinite(made.embeddings).all():
            raise BadInput("embeddings of outliers are not finite; check the weights of the RDM and the guidance scale.")
        _write(out / "embeddings.npy", made.embeddings, first, total)
    columns = {name: pa.array(values) for name, values in made.columns.items()} or {NO_COLUMN: pa.nulls(len(made.images))}
    arrays = {"images.npy": made.images} | ({} if made.embeddings is None else {"embeddings.npy": made.embeddings})
    noted = {name: hashlib.sha256(rows.tobytes()).hexdigest() for name, rows in arrays.items()}
    with atomic_file(out / f"group-{first:012d}.parquet") as part:
        pq.write_table(pa.table(columns, metadata=noted), part, write_page_checksum=True)


def _write(path: Path, rows: NDArray[np.generic], first: int, total: int) -> None:
    """Put rows at their place in a `.npy` file that is made for all of them. Not by a mapping, which ends the process on a full disk."""
    rows = np.ascontiguousarray(rows)
    if not path.exists():
        with atomic_file(path) as part, part.open("wb") as file:  # whole, or a full disk leaves half a header
            descr = np.lib.format.dtype_to_descr(rows.dtype)
            np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": (total, *rows.shape[1:])})
    with path.open("r+b") as file:
        file.seek(_header_bytes(file) + first * rows[0].nbytes)
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _header_bytes(file: BinaryIO) -> int:
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return file.tell()


def _finish(out: Path) -> None:
    """The columns of all groups as one file."""
    parts = _parts(out)
    schema = pa.unify_schemas([pq.read_schema(path).remove_metadata() for path in parts], promote_options="permissive")
    with pq.ParquetWriter(out / "rows.parquet", schema) as writer:
        for path in parts:
            table = pq.read_table(path)
            for name in set(schema.names) - set(table.column_names):
                table = table.append_column(name, pa.nulls(len(table), schema.field(name).type))
            writer.write_table(table.select(schema.names).cast(schema))
    for path in reversed(parts):  # so that what a kill leaves are the first ones
        path.unlink()
