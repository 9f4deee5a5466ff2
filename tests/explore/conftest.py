"""A small table of outliers with known values, in the columns of DESIGN."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

CLASSES = ("broccoli", "candle", "jeep")
SCALES = (0.025, 0.05, 0.075)
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(value: int) -> bytes:
    """A 16 x 16 image whose red channel is `value`."""
    pixels = np.full((16, 16, 3), (value % 256, 40, 90), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_outliers(path: Path, n: int, seed: int = 0) -> Path:
    """n outliers, ids shuffled against the row order, id_confidence uniform on [0, 1)."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(n)
    anchors = ids // len(SCALES)
    confidence = rng.random(n)
    columns = {
        "outlier_id": ids,
        "anchor_id": anchors,
        "anchor_class": [CLASSES[anchor % len(CLASSES)] for anchor in anchors],
        "synthesiser": ["minority"] * n,
        "guidance_scale": [SCALES[i % len(SCALES)] for i in ids],
        "t": [300] * n,
        "s": [125] * n,
        "seed": [0] * n,
        "minority_score": rng.random(n) + np.array(SCALES)[ids % len(SCALES)] * 10,
        "image": pa.array([{"bytes": png(int(i)), "path": None} for i in ids], IMAGE_TYPE),
        "energy": -np.log(confidence + 1e-3),
        "raw_score": 1 - confidence,
        "id_confidence": confidence,
        "clip_label": [CLASSES[(i * 7) % len(CLASSES)] for i in ids],
        "clip_prob": rng.random(n),
        "clip_anchor_prob": rng.random(n),
        "ood_type": [("OOD-I", "OOD-II", "OOD-III")[i % 3] for i in rng.integers(0, 3, n)],
    }
    table = pa.table(columns)
    parquet.write_table(table, path, row_group_size=37)
    return path


@pytest.fixture(scope="session")
def outliers_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 outliers."""
    return write_outliers(tmp_path_factory.mktemp("run") / "outliers.parquet", 300)
