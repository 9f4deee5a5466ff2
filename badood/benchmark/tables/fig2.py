"""Figures 2 and 9: ID images, and outliers graded by confidence."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from badood.benchmark.seeded import Seeded
from badood.benchmark.sheet import SHOWN, draw_sheet, shown
from badood.benchmark.table import Column, Row, Table, table
from badood.core.errors import BadInput
from badood.core.rows import evenly

GRADES = 8
"""Outliers of a class, evenly over the ranks of their confidence."""


@table("fig2")
class Fig2(Table):
    """For some classes an ID image and outliers from the one that looks most like ID to the one that looks least so."""

    title: ClassVar = "Outliers graded by confidence"
    source: ClassVar = "Paper Fig. 2 and 9"
    told: ClassVar = (
        "A line a class: an ID training image, then outliers of its anchors from high id_confidence to low, which stands above each."
    )
    columns: ClassVar = (Column("id_confidence", "id_confidence", percent=False),)
    picture: ClassVar = ".png"
    most_seeds: ClassVar = 1

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row an image."""
        train, confidence, classes = at.found.sets.train, at.found.confidence.outliers, at.found.outliers.column("anchor_class")
        if classes is None:
            raise BadInput("the outliers have no anchors, so that none belongs to a class; take a source that has, such as embedded.")
        rows: list[Row] = []
        for label, name in enumerate(train.classes[:SHOWN]):
            own = np.flatnonzero(classes == name)
            graded = own[np.argsort(-confidence[own], kind="stable")]
            first = np.flatnonzero(train.labels == label)[:1]
            rows += [shown(f"{name}, ID", train.pixels.array(first)[0], name, f"{name}, ID")]
            for place in graded[evenly(len(graded), GRADES)]:
                value = float(confidence[place])
                image = at.found.outliers.pixels.array([place])[0]
                rows.append(shown(f"{name}, outlier {place}", image, name, f"{value:.3f}", id_confidence=value))
        return rows

    def draw(self, rows: pd.DataFrame, path: Path, title: str) -> None:
        """The images."""
        draw_sheet(rows, path, title)
