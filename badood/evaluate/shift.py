"""Mean anomaly and AUROC over the grid of semantic and covariate shift levels. Paper Fig. 5; IS-OOD and SynIS, Long et al. 2024."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import linregress

from badood.core.errors import BadInput

KINDS = ("semantic", "covariate")

FEWEST = 10
"""Images that a cell needs to count in `shift_summary`, as in the original."""


def shift_table(
    levels: Mapping[str, NDArray[np.floating]],
    scores: Mapping[str, NDArray[np.floating]],
    placements: Mapping[str, NDArray[np.floating]],
) -> pd.DataFrame:
    """Mean anomaly and AUROC of every method in every cell of the grid.

    The negatives of a cell's AUROC are the ID test images, the same ones for every cell, as in the original; not the images of level 0, which
    are of a cell of the grid themselves and need not be there.

    Args:
        levels: (N,) "semantic" and "covariate" level of every image, as `ImageSet.levels` has them.
        scores: for every method (N,) anomaly, larger = more OOD.
        placements: for every method (N,) `metrics.placements` among the ID test images, of a score that was not squashed.

    Returns:
        A row a method and cell that has images: method, semantic, covariate (int levels), mean_anomaly, rescaled
        (min-max over the method's cells, in [0, 1]; 0 throughout where all cells are equal), auroc (a fraction), count.

    Raises:
        BadInput: a level is missing, lengths differ, or a score is not finite.
    """
    missing = set(KINDS) - set(levels)
    if missing:
        raise BadInput(f"shift levels lack {', '.join(sorted(missing))}; use a set with a shift grid, such as miniworld or synis.")
    cells = pd.DataFrame({name: np.asarray(levels[name]).round().astype(int) for name in KINDS})
    return pd.concat([_of_method(name, cells, np.asarray(score), placements[name]) for name, score in scores.items()], ignore_index=True)


def _of_method(method: str, cells: pd.DataFrame, score: NDArray[np.floating], placement: NDArray[np.floating]) -> pd.DataFrame:
    if score.shape != (len(cells),):
        raise BadInput(f"scores of {method} have shape {score.shape}, expected ({len(cells)},): one anomaly an image of the grid.")
    if not np.isfinite(score).all():
        raise BadInput(f"{(~np.isfinite(score)).sum()} of {len(score)} scores of {method} are not finite; mend the scorer.")
    cell = cells.assign(score=score, placement=placement).groupby(list(KINDS), as_index=False)
    table = cell.agg(mean_anomaly=("score", "mean"), auroc=("placement", "mean"), count=("score", "size"))
    mean = table["mean_anomaly"]
    span = mean.max() - mean.min()
    table["rescaled"] = (mean - mean.min()) / (span if span > 0 else 1.0)
    table.insert(0, "method", method)
    return table[["method", *KINDS, "mean_anomaly", "rescaled", "auroc", "count"]]


def shift_summary(table: pd.DataFrame) -> pd.DataFrame:
    """How AUROC goes with each kind of shift, a row a method; first the method whose AUROC rises most by semantic level.

    AUROC is averaged over the cells of a semantic level, then set against the level; likewise by covariate level. Correlations near 1 with a
    large slope say that a method goes by that kind of shift. From the original's `analyze_metrics`, which prints slopes in percent. Where it
    differs: cells of fewer than `FEWEST` images are left out there too, but so are cells whose AUROC is exactly 0, and a level without any
    cell turns its figures into NaN; here the level alone is left out. Where no cell has `FEWEST` images, as in a small trial, the fullest count.

    Args:
        table: as `shift_table` makes it; with an `auroc` that is not known everywhere, such cells are left out.

    Returns:
        method, semantic_correlation, semantic_slope, covariate_correlation, covariate_slope. Correlations are Pearson's, in [-1, 1], and NaN
        where AUROC is the same at all levels. Slopes are absolute, AUROC (a fraction) a level. All NaN with fewer than two levels.

    Source: Long et al. 2024; github.com/qqwsad5/IS-OOD, analyze_metrics.py and datasets.py.
    """
    enough = table[table["count"] >= min(FEWEST, table["count"].max())]
    rows = [
        {"method": method, **_trend(cells, "semantic"), **_trend(cells, "covariate")}
        for method, cells in enough.groupby("method", sort=False)
    ]
    summary = pd.DataFrame(rows).sort_values("semantic_slope", ascending=False, kind="stable", ignore_index=True)
    return summary.assign(**{f"{kind}_slope": summary[f"{kind}_slope"].abs() for kind in KINDS})


def _trend(cells: pd.DataFrame, kind: str) -> dict[str, float]:
    """Correlation and signed slope of a method's AUROC with the levels of one kind."""
    # what differs in the last digits alone is equal, and has no correlation
    mean = cells.groupby(kind)["auroc"].mean().dropna().round(12)
    if len(mean) < 2:
        return {f"{kind}_correlation": np.nan, f"{kind}_slope": np.nan}
    line = linregress(mean.index.to_numpy(float), mean.to_numpy(float))
    return {f"{kind}_correlation": float(line.rvalue), f"{kind}_slope": float(line.slope)}
