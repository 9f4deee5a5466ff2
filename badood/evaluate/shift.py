"""Mean anomaly over the grid of semantic and covariate shift levels. Paper Fig. 5; SynIS, Long et al. 2024."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.core.errors import BadInput


def shift_table(levels: Mapping[str, NDArray[np.floating]], scores: Mapping[str, NDArray[np.floating]]) -> pd.DataFrame:
    """Mean anomaly of every method in every cell of the grid.

    Args:
        levels: (N,) "semantic" and "covariate" level of every image, as `ImageSet.levels` has them.
        scores: for every method (N,) anomaly, larger = more OOD.

    Returns:
        A row a method and cell that has images: method, semantic, covariate (int levels), mean_anomaly, rescaled
        (min-max over the method's cells, in [0, 1]; 0 throughout where all cells are equal), count.

    Raises:
        BadInput: a level is missing, lengths differ, or a score is not finite.
    """
    missing = {"semantic", "covariate"} - set(levels)
    if missing:
        raise BadInput(f"shift levels lack {', '.join(sorted(missing))}; use a set with a shift grid, such as miniworld or synis.")
    cells = pd.DataFrame({name: np.asarray(levels[name]).round().astype(int) for name in ("semantic", "covariate")})
    return pd.concat([_of_method(name, cells, np.asarray(score)) for name, score in scores.items()], ignore_index=True)


def _of_method(method: str, cells: pd.DataFrame, score: NDArray[np.floating]) -> pd.DataFrame:
    if score.shape != (len(cells),):
        raise BadInput(f"scores of {method} have shape {score.shape}, expected ({len(cells)},): one anomaly an image of the grid.")
    if not np.isfinite(score).all():
        raise BadInput(f"{(~np.isfinite(score)).sum()} of {len(score)} scores of {method} are not finite; mend the scorer.")
    cell = cells.assign(score=score).groupby(["semantic", "covariate"], as_index=False)
    table = cell.agg(mean_anomaly=("score", "mean"), count=("score", "size"))
    mean = table["mean_anomaly"]
    span = mean.max() - mean.min()
    table["rescaled"] = (mean - mean.min()) / (span if span > 0 else 1.0)
    table.insert(0, "method", method)
    return table[["method", "semantic", "covariate", "mean_anomaly", "rescaled", "count"]]
