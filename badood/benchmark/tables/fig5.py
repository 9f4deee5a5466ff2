"""Figures 5 to 8: anomaly by semantic and covariate shift."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from badood.benchmark.pages import save
from badood.benchmark.seeded import Seeded
from badood.benchmark.table import Column, Row, Table, table
from badood.benchmark.variants import alone, synthesisers
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.data.splits import missing as missing_files
from badood.evaluate.shift import shift_summary
from badood.pipeline.preflight import base_of

SCORERS = ("msp", "temperature", "odin", "energy", "mahalanobis", "knn", "gradnorm")
"""The paper's, beside ours."""
RIVALS = ("npos", "dream_ood")
LEVELS = 8


@table("fig5")
class Fig5(Table):
    """Heatmaps of every score, for detectors of the preset's outliers, of NPOS's and of Dream-OOD's."""

    title: ClassVar = "Anomaly by semantic and covariate shift"
    source: ClassVar = "Paper Fig. 5 to 8; Long et al. 2024"
    told: ClassVar = (
        "Mean anomaly of 8 x 8 levels, rescaled within each score to 0 .. 1 (red = anomalous), semantic shift downward, covariate shift rightward; mean "
        "over the seeds. Columns: Pearson correlation and slope of AUROC, against the ID test images, with the level, of the other kind averaged."
    )
    columns: ClassVar = (
        Column("semantic_correlation", "correlation, semantic ↑", 1, percent=False),
        Column("semantic_slope", "slope, semantic, points", percent=True),
        Column("covariate_correlation", "correlation, covariate ↑", 1, percent=False),
        Column("covariate_slope", "slope, covariate, points", percent=True),
    )
    picture: ClassVar = ".png"

    def needs(self, cfg: Config, wanted: Wanted) -> str:
        """A shift grid."""
        grid = wanted.config().data.grid
        return "data.grid names no set" if grid is None else missing_files(grid, base_of(cfg))

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """One for each source."""
        grid = cfg.model_copy(update={"data": cfg.data.model_copy(update={"grid": wanted.config().data.grid})})
        known = synthesisers(cfg)
        return {entry.name: alone(grid, entry) for entry in (cfg.outliers[0], *(known[name] for name in RIVALS))}

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row a score, of the detector that is trained on the filtered outliers."""
        shift = at.evaluated(at.selections()["calibrated"], list(SCORERS)).shift
        told = shift_summary(shift).set_index("method")
        return [
            {"row": f"{part}: {method}", **{column.name: float(told[column.name][method]) for column in self.columns}, **_cells(cells)}
            for method, cells in shift.groupby("method", sort=False)
        ]

    def draw(self, rows: pd.DataFrame, path: Path, title: str) -> None:
        """A heatmap a row, sources downward, scores rightward."""
        from matplotlib.figure import Figure

        means = rows.groupby("row", sort=False).mean(numeric_only=True)
        sources = list(dict.fromkeys(str(name).split(": ")[0] for name in means.index))
        scores = list(dict.fromkeys(str(name).split(": ")[1] for name in means.index))
        figure = Figure(figsize=(1.5 * len(scores), 0.6 + 1.7 * len(sources)), layout="constrained")
        panels = figure.subplots(len(sources), len(scores), squeeze=False)
        for axes, (source, score) in zip(panels.flat, ((one, other) for one in sources for other in scores), strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            if source == sources[-1] and score == scores[0]:
                axes.set_xlabel("covariate level →", fontsize=8)
                axes.set_ylabel("← semantic level", fontsize=8)
            axes.set_title(f"{source}\n{score}", fontsize=8)
            if (name := f"{source}: {score}") in means.index:
                values = [[means.loc[name].get(_cell(s, c), np.nan) for c in range(LEVELS)] for s in range(LEVELS)]
                axes.imshow(values, cmap="RdYlBu_r", vmin=0, vmax=1)
        figure.suptitle(title, fontsize=11)
        save(figure, path)


def _cell(semantic: int, covariate: int) -> str:
    return f"cell {semantic} {covariate}"


def _cells(cells: pd.DataFrame) -> Row:
    """The rescaled anomaly of every cell that has images."""
    levels = zip(cells["semantic"].tolist(), cells["covariate"].tolist(), cells["rescaled"].tolist(), strict=True)
    return {_cell(semantic, covariate): rescaled for semantic, covariate, rescaled in levels}
