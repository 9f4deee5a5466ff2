"""Figures 2 and 9: ID images, and outliers graded by confidence."""

from typing import ClassVar

import numpy as np

from badood.benchmark.seeded import Seeded
from badood.benchmark.sheet import SHOWN, Sheet, anchor_classes, shown
from badood.benchmark.table import Column, Row, table
from badood.core.rows import evenly

GRADES = 8
"""Outliers of a class, evenly over the ranks of their confidence."""


@table("fig2")
class Fig2(Sheet):
    """For some classes an ID image and outliers from the one that looks most like ID to the one that looks least so."""

    title: ClassVar = "Outliers graded by confidence"
    source: ClassVar = "Paper Fig. 2 and 9"
    told: ClassVar = (
        "A line a class: an ID training image, then outliers of its anchors from high id_confidence to low, which stands above each."
    )
    columns: ClassVar = (Column("id_confidence", "id_confidence", percent=False),)

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row an image."""
        train, confidence, classes = at.found.sets.train, at.found.confidence.outliers, anchor_classes(at.found.outliers)
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
