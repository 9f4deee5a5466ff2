"""Figure 4a: diversity of outliers."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from PIL import Image

from badood.benchmark.pages import save
from badood.benchmark.seeded import Seeded
from badood.benchmark.table import Column, Row, Table, table
from badood.benchmark.variants import each_alone, every_source
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.core.rows import pieces
from badood.pipeline.models import Models
from badood.pipeline.path import make_outliers
from badood.pipeline.sets import read_images, read_labelled
from badood.pipeline.stages.types import types

QUALITY = 75
"""Of JPEG, its usual one."""


@table("fig4a")
class Fig4a(Table):
    """Between classes how many are seen, within classes how much their images differ."""

    title: ClassVar = "Diversity of outliers"
    source: ClassVar = "Paper Fig. 4a"
    told: ClassVar = (
        "Unique classes: how many names CLIP gives to the outliers, of ID and foreign classes, for each ID class. JPEG size: bytes of an outlier as "
        f"JPEG of quality {QUALITY}, the mean over the anchors' classes; ImageNet's authors average images first, the paper takes each image. No "
        "detector takes part, so that one seed tells all."
    )
    columns: ClassVar = (
        Column("unique", "unique classes per ID class ↑", 1, percent=False),
        Column("jpeg", "JPEG size, bytes ↑", 1, percent=False),
    )
    most_seeds: ClassVar = 1

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """One for each source."""
        return each_alone(cfg, every_source(cfg))

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row; "bytes CLASS" of each anchors' class beside it."""
        sets = read_images(at.do, at.cfg)
        outliers, _ = make_outliers(at.do, at.run, sets)
        clip = at.cfg.clip.model_copy(update={"weights": None})
        typed = at.do(types, clip, outliers, sets.train, read_labelled(at.do, at.cfg, sets), Models(at.cfg).only("clip"))
        unique = len(set(typed.table()["clip_label"].to_pylist()))
        anchors = outliers.column("anchor_class")
        sizes = pd.Series([_bytes(image) for piece in pieces(len(outliers), 1024) for image in outliers.pixels.array(piece)])
        by_class = sizes.groupby(np.full(len(outliers), "all", dtype=object) if anchors is None else anchors).mean()
        told = {f"bytes {name}": float(size) for name, size in by_class.items()}
        return [{"row": part, "unique": unique / len(sets.train.classes), "jpeg": float(by_class.mean()), **told}]

    def draw(self, rows: pd.DataFrame, path: Path, title: str) -> None:
        """JPEG size by class, a line a source, its unique classes in the legend."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        names = [str(name) for name in rows if str(name).startswith("bytes ")]
        for row in rows.to_dict("records"):
            values = [row.get(name, np.nan) for name in names]
            axes.plot(range(len(names)), values, marker="o", label=f"{row['row']} ({row['unique']:.2f})")
        axes.set_xticks(range(len(names)), [name.removeprefix("bytes ") for name in names], rotation=45, ha="right")
        axes.set_ylabel("mean JPEG size, bytes")
        axes.set_title(title, loc="left", fontsize=11)
        axes.legend(title="source (unique classes)", fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        save(figure, path)


def _bytes(image: np.ndarray) -> int:
    """Size of a (3, H, W) uint8 image as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "JPEG", quality=QUALITY)
    return file.tell()
