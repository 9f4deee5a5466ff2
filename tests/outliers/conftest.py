"""What every source of outliers is tested with."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from badood.core.compute import Compute
from badood.core.progress import Silent
from badood.outliers import Given, Group, OutlierSource

Gather = Callable[..., Group]
MakeGiven = Callable[..., Given]


@pytest.fixture(scope="session")
def given() -> MakeGiven:
    """ID images by name: `given(("cat/1.png", "cat"), ..., size=8)`."""

    def make(*known: tuple[str, str], size: int = 8) -> Given:
        classes = sorted({label for _, label in known}) or ["cat", "dog"]
        labels = np.array([classes.index(label) for _, label in known], dtype=np.int64)
        return Given(size, Compute(torch.device("cpu"), torch.float32), Silent(), labels, classes, [name for name, _ in known])

    return make


@pytest.fixture(scope="session")
def gathered(given: MakeGiven) -> Gather:
    """All outliers of a source from a row on, as one group; their number is what `total` says."""

    def gather(source: OutlierSource, known: Given | None = None, first: int = 0) -> Group:
        known = known or given()
        groups = list(source.groups(known, first))
        assert sum(len(group.images) for group in groups) == source.total(known) - first
        columns = {name: np.concatenate([np.asarray(group.columns[name]) for group in groups]) for name in groups[0].columns}
        assert all(len(values) == sum(len(group.images) for group in groups) for values in columns.values())
        return Group(np.concatenate([group.images for group in groups]), columns)

    return gather
