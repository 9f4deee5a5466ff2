"""Embeddings on a plane: PCA at once, t-SNE and UMAP for neighbourhoods."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from badood.core.errors import BadInput

Method = Literal["pca", "tsne", "umap"]


def project(embeddings: NDArray[np.floating], method: Method = "pca", seed: int = 0) -> NDArray[np.float32]:
    """(N, D) embeddings -> (N, 2) places on a map; the same seed gives the same map.

    Args:
        method: "pca" takes a second for 100,000 rows; "umap" and "tsne" keep neighbours together and take
            half a minute and more; "tsne" takes minutes beyond 10,000.

    Raises:
        BadInput: fewer than three rows.
    """
    if len(embeddings) < 3:
        raise BadInput(f"a map needs at least 3 embeddings, got {len(embeddings)}; widen the filters.")
    rows = np.asarray(embeddings, dtype=np.float32)
    return _METHODS[method](rows, seed).astype(np.float32)


def map_table(
    known: NDArray[np.floating], outliers: NDArray[np.floating], table: pd.DataFrame, method: Method = "pca", seed: int = 0
) -> pd.DataFrame:
    """ID images and outliers on one map, as `figures.embedding_map` draws it.

    Args:
        known: (N, D) z0 of ID images. outliers: (M, D). table: M rows of the outliers' columns, in the same order.

    Returns:
        N + M rows: x, y, kind ("ID" or "outlier"), id (row of `known`, or outlier_id), and the columns of `table` (missing for ID).
    """
    places = project(np.concatenate([known, outliers]).astype(np.float32), method, seed)
    ids = pd.DataFrame({"kind": "ID", "id": np.arange(len(known))})
    rows = table.reset_index(drop=True).assign(kind="outlier", id=table["outlier_id"].to_numpy())
    return pd.concat([ids, rows], ignore_index=True).assign(x=places[:, 0], y=places[:, 1])


def inside(points: pd.DataFrame, xs: Sequence[float], ys: Sequence[float]) -> NDArray[np.int64]:
    """outlier_id of the outliers inside a lasso, in the table's order.

    Args:
        points: as `map_table` makes them. xs, ys: corners of the lasso, at least 3; it closes itself.
    """
    odd = points[points["kind"] == "outlier"]
    x, y = odd["x"].to_numpy(float), odd["y"].to_numpy(float)
    within = np.zeros(len(odd), dtype=bool)
    # even-odd rule: a point is inside where a ray to its right crosses the outline an odd number of times
    for (x0, y0), (x1, y1) in zip(zip(xs, ys, strict=True), zip([*xs[1:], xs[0]], [*ys[1:], ys[0]], strict=True), strict=True):
        if y0 != y1:
            within ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd["id"].to_numpy(np.int64)[within]


def _pca(rows: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    return PCA(n_components=2, random_state=seed).fit_transform(rows)


def _tsne(rows: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    perplexity = min(30.0, (len(rows) - 1) / 3)
    return TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)


def _umap(rows: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    from umap import UMAP  # compiles itself for some seconds, which nobody else should wait for

    return UMAP(n_components=2, n_neighbors=min(15, len(rows) - 1), random_state=seed, n_jobs=1).fit_transform(rows)


_METHODS = {"pca": _pca, "tsne": _tsne, "umap": _umap}
