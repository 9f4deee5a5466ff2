"""The outliers as one parquet file: DESIGN "Artefacts", readable by Hugging Face `datasets`."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""Hugging Face's `Image` feature."""

_BATCH = 128
"""Rows a row group: reading one thumbnail reads its whole group's images."""


def png(image: NDArray[np.uint8]) -> bytes:
    """Lossless bytes of a (3, H, W) uint8 image."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def write_outliers(path: Path, table: pd.DataFrame, images: NDArray[np.uint8]) -> None:
    """Write outliers with their images, in row groups, so that 130,000 images never stand in memory twice.

    Args:
        table: M rows of every column but the image, `outlier_id` among them.
        images: (M, 3, H, W) uint8, row-aligned; may be memory-mapped.
    """
    plain = pa.Table.from_pandas(table, preserve_index=False)
    features = {name: _feature(field.type) for name, field in zip(plain.column_names, plain.schema, strict=True)}
    features["image"] = {"_type": "Image"}
    schema = plain.schema.append(pa.field("image", IMAGE))
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, len(table), _BATCH):
            part = plain.slice(first, _BATCH)
            encoded = [
                {"bytes": png(image), "path": f"{outlier}.png"}
                for image, outlier in zip(images[first : first + _BATCH], part["outlier_id"].to_pylist(), strict=True)
            ]
            writer.write_table(part.append_column(pa.field("image", IMAGE), pa.array(encoded, type=IMAGE)).cast(schema))


def _feature(kind: pa.DataType) -> dict[str, str]:
    """Hugging Face's name of a column type."""
    return {
        "_type": "Value",
        "dtype": "string" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind).replace("double", "float64"),
    }
