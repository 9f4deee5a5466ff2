"""Figures 3, 10 and 11: outliers of the three types."""

from typing import ClassVar

import numpy as np

from badood.benchmark.seeded import Seeded
from badood.benchmark.sheet import SHOWN, Sheet, anchor_classes, shown
from badood.benchmark.table import Column, Row, table
from badood.evaluate.ood_types import TYPES
from badood.pipeline.artefacts import Typed

EACH = 3
"""Outliers of a class and type, those that CLIP is surest of."""


@table("fig3")
class Fig3(Sheet):
    """For some classes outliers of every type, with CLIP's name."""

    title: ClassVar = "Three types of outliers"
    source: ClassVar = "Paper Fig. 3, 10 and 11"
    told: ClassVar = "A line a class: outliers of type OOD-I, OOD-II and OOD-III, with CLIP's name for it; of each type those with the highest probability of that name."
    columns: ClassVar = (Column("clip_prob", "CLIP's probability", percent=False),)

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row an image."""
        found = at.found
        classes = anchor_classes(found.outliers)
        seen = Typed(at.run.folder / at.run.record["results"]["types"]).table().to_pandas().assign(anchor=classes)
        rows: list[Row] = []
        for name in found.sets.train.classes[:SHOWN]:
            for kind in TYPES:
                of_type = seen[(seen["anchor"] == name) & (seen["ood_type"] == kind)].nlargest(EACH, "clip_prob")
                for place, each in of_type.iterrows():
                    image = found.outliers.pixels.array(np.array([place]))[0]
                    caption = f"{kind}\n{each['clip_label']}"
                    rows.append(shown(f"{name}, {kind}, outlier {place}", image, name, caption, clip_prob=float(each["clip_prob"])))
        return rows
