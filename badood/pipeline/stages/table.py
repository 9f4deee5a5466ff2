"""The outliers with all that is known of them, as one parquet file that Hugging Face `datasets` reads: DESIGN "Artefacts"."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.core.rows import Rows
from badood.data.images import png
from badood.pipeline.artefacts import Confidence, Described, Harm, Outliers, Table, Typed, joined
from badood.pipeline.stage import Context, stage

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""Hugging Face's `Image` feature."""

_BATCH = 128
"""Rows a row group: reading one thumbnail reads its whole group's images."""


@stage("table", version=2, result=Table, shared=False)
def table(
    out: Path, outliers: Outliers, described: Described | None, confidence: Confidence, typed: Typed, harm: Harm, ctx: Context
) -> None:
    """`outliers.parquet`: a row an outlier, with the image."""
    write_outliers(out / "outliers.parquet", joined(outliers, described, confidence, typed, harm), outliers.pixels)


def write_outliers(path: Path, plain: pa.Table, images: Rows | NDArray[np.uint8]) -> None:
    """Write outliers with their images, in row groups, so that 130,000 images are never in memory at a time.

    Args:
        plain: M rows of every column but the image, `outlier_id` among them.
        images: (M, 3, H, W) uint8, row-aligned.
    """
    features = {name: _feature(field.type) for name, field in zip(plain.column_names, plain.schema, strict=True)}
    features["image"] = {"_type": "Image"}
    schema = plain.schema.append(pa.field("image", IMAGE))
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, len(plain), _BATCH):
            part = plain.slice(first, _BATCH)
            pixels = images.array(slice(first, first + _BATCH)) if isinstance(images, Rows) else images[first : first + _BATCH]
            encoded = [
                {"bytes": png(image), "path": f"{outlier}.png"}
                for image, outlier in zip(pixels, part["outlier_id"].to_pylist(), strict=True)
            ]
            writer.write_table(part.append_column(pa.field("image", IMAGE), pa.array(encoded, type=IMAGE)).cast(schema))


def _feature(kind: pa.DataType) -> dict[str, str]:
    """Hugging Face's name of a column type."""
    return {
        "_type": "Value",
        "dtype": "string" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind).replace("double", "float64"),
    }
