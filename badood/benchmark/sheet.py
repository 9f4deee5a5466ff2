"""Figures that show images: what is shown travels with the rows, so that the picture can be drawn again from the results file."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from badood.benchmark.pages import save
from badood.benchmark.table import Table
from badood.core.errors import BadInput
from badood.data.images import png
from badood.pipeline.artefacts import Outliers

SHOWN = 5
"""Classes that are shown, the first ones, as the paper shows five."""


class Sheet(Table):
    """A figure that shows images of one seed."""

    picture: ClassVar = ".png"
    most_seeds: ClassVar = 1

    def draw(self, rows: pd.DataFrame, path: Path, title: str) -> None:
        """The images."""
        draw_sheet(rows, path, title)


def anchor_classes(outliers: Outliers) -> NDArray[np.object_]:
    """(M,) names of the classes of the outliers' anchors.

    Raises:
        BadInput: they have no anchors.
    """
    classes = outliers.column("anchor_class")
    if classes is None:
        raise BadInput("the outliers have no anchors, so that none belongs to a class; take a source that has, such as embedded.")
    return classes


def shown(row: str, image: np.ndarray, line: str, caption: str, **figures: float) -> dict[str, object]:
    """A row of a table with its image.

    Args:
        image: (3, H, W) uint8. line: of the sheet in which it stands. caption: above it.
    """
    return {"row": row, **figures, "line": line, "caption": caption, "png": base64.b64encode(png(image)).decode()}


def draw_sheet(rows: pd.DataFrame, path: Path, title: str) -> None:
    """The images of `shown`, line by line in the order of the rows."""
    from matplotlib.figure import Figure

    lines = [(str(name), part.to_dict("records")) for name, part in rows.groupby("line", sort=False)]
    width = max(len(part) for _, part in lines)
    figure = Figure(figsize=(0.9 * width, 0.5 + 1.1 * len(lines)), layout="constrained")
    panels = figure.subplots(len(lines), width, squeeze=False)
    for axes, cell in zip(panels.flat, _cells(lines, width), strict=True):
        axes.axis("off")
        if cell is not None:
            axes.imshow(np.asarray(Image.open(io.BytesIO(base64.b64decode(cell["png"])))))
            axes.set_title(cell["caption"], fontsize=7)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def _cells(lines: Sequence[tuple[str, list[dict]]], width: int) -> Iterator[dict | None]:
    for _, part in lines:
        yield from [*part, *([None] * (width - len(part)))]
