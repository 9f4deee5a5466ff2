"""Maps of embeddings, made in the background once for all visitors."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import pandas as pd

from badood.core.rows import evenly
from badood.explore.embedding_map import Method, map_table
from badood.explore.finished import Finished

METHODS: dict[str, str] = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
"""Ways to make a map."""

MOST = 20_000
"""Dots that a browser draws fluidly."""

_MOST = {"pca": MOST, "tsne": 4_000, "umap": 10_000}
"""Outliers on a map, at most: also what takes less than a minute."""

_KNOWN = 2_000
"""ID images on a map, at most."""

_pool = ThreadPoolExecutor(1, thread_name_prefix="maps")


@lru_cache(maxsize=12)
def placed(found: Finished, method: Method) -> "Future[pd.DataFrame]":
    """ID images and outliers on a map, when it is made; see `explore.embedding_map.map_table`. Only of a run that described its outliers."""
    return _pool.submit(_place, found, method)


def _place(found: Finished, method: Method) -> pd.DataFrame:
    known, rows = found.anchors[0], evenly(len(found.outliers), _MOST[method])
    return map_table(known[evenly(len(known), _KNOWN)], found.embeddings[rows], found.outliers.at(rows), method)
