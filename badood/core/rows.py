"""Which rows of many stand for all."""

import numpy as np
from numpy.typing import NDArray


def evenly(total: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the row numbers below `total`, evenly spread and ascending."""
    return np.linspace(0, total - 1, min(total, most)).astype(np.int64)
