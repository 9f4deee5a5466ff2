"""Maps keep neighbours together, and are the same for the same seed."""

import numpy as np
import pandas as pd
import pytest

from badood.core.errors import BadInput
from badood.explore.embedding_map import inside, map_table, project

RNG = np.random.default_rng(0)
BLOBS = np.concatenate([RNG.normal(size=(40, 16)) + centre for centre in (0, 12, -12)]).astype(np.float32)
LABELS = np.repeat([0, 1, 2], 40)


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_clusters_stay_apart_and_the_seed_decides(method: str) -> None:
    places = project(BLOBS, method)
    centres = np.stack([places[label == LABELS].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(places[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == LABELS).mean() > 0.97
    np.testing.assert_array_equal(places, project(BLOBS, method))


def test_table_joins_id_and_outliers_in_order() -> None:
    table = pd.DataFrame({"outlier_id": [7, 3, 5], "ood_type": ["OOD-I", "OOD-II", "OOD-III"]})
    points = map_table(BLOBS[:10], BLOBS[40:43], table)
    assert points["kind"].tolist() == ["ID"] * 10 + ["outlier"] * 3
    assert points["id"].tolist()[10:] == [7, 3, 5]
    places = project(np.concatenate([BLOBS[:10], BLOBS[40:43]]))
    np.testing.assert_allclose(points[["x", "y"]].to_numpy(), places)


def test_too_few_points_are_an_error() -> None:
    with pytest.raises(BadInput, match="at least 3"):
        project(BLOBS[:2])


def test_a_lasso_takes_the_outliers_inside_it() -> None:
    points = pd.DataFrame(
        {"x": [0.5, 2.0, 0.5, 0.1], "y": [0.5, 2.0, 0.4, 0.9], "kind": ["outlier"] * 2 + ["ID", "outlier"], "id": [7, 8, 0, 9]}
    )
    triangle = ([0, 1, 1], [0, 0, 0.4])
    assert inside(points, *triangle).tolist() == []
    assert inside(points, [0, 2, 0], [0, 0, 2]).tolist() == [7, 9]
    assert inside(points, [0, 3, 3, 0], [0, 0, 3, 3]).tolist() == [7, 8, 9]
