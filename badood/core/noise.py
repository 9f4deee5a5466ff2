"""Randomness that depends on what is drawn, never on when or with whom.

Every number is a hash of (seed, row id, tag, position), so a row gets the same noise whatever batch it is in,
whatever was drawn before, and after a resume.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from badood.core.seeds import derive_seed

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64 finaliser. Source: Steele, Lea, Flood 2014."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Noise:
    """Noise for a set of rows.

    Attributes:
        seed: the run's seed.
        rows: (N,) int64 ids, one a row; they decide the row's numbers.
    """

    seed: int
    rows: NDArray[np.int64]

    def take(self, index: slice | NDArray[np.int64]) -> "Noise":
        """The noise of a part of the rows."""
        return Noise(self.seed, self.rows[index])

    def uniform(self, shape: tuple[int, ...], *tag: object) -> Tensor:
        """(N, *shape) float32 in (0, 1), on the CPU; `tag` tells one draw from another."""
        width = int(np.prod(shape, dtype=np.int64))
        with np.errstate(over="ignore"):
            key = _mix(self.rows.astype(np.uint64) * _GOLDEN + np.uint64(derive_seed(self.seed, *tag)))
            bits = _mix(key[:, None] + np.arange(1, width + 1, dtype=np.uint64)[None, :] * _GOLDEN)
        # 24 bits fill a float32 mantissa; the half step keeps 0 and 1 out
        values = ((bits >> np.uint64(40)).astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-24)
        return torch.from_numpy(np.minimum(values, np.float32(1 - 2.0**-24))).reshape(len(self.rows), *shape)

    def normal(self, shape: tuple[int, ...], *tag: object) -> Tensor:
        """(N, *shape) float32 standard normal, on the CPU."""
        radius = self.uniform(shape, *tag, "radius").log().mul_(-2).sqrt_()
        return radius * self.uniform(shape, *tag, "angle").mul_(2 * torch.pi).cos_()

    def gumbel(self, shape: tuple[int, ...], *tag: object) -> Tensor:
        """(N, *shape) float32 standard Gumbel, on the CPU."""
        return -(-self.uniform(shape, *tag).log()).log()


def generator(*parts: object) -> torch.Generator:
    """A CPU generator seeded from `parts`, for draws that belong to a step rather than to rows."""
    return torch.Generator().manual_seed(derive_seed(*parts))
