"""Outliers round the sparse edge of a class, on the unit sphere. Source: Tao et al. 2023 (NPOS); Du et al. 2023 (Dream-OOD)."""

from torch import Tensor
from torch.nn import functional as F


def kth_distance(points: Tensor, bank: Tensor, k: int) -> Tensor:
    """How sparse a bank is at some points.

    Args:
        points: (..., D), any length. bank: (M, D), any length. k: which neighbour, from 1; a point of the bank is its own first.

    Returns:
        (...) squared L2 distance between unit vectors, in [0, 4].
    """
    cosine = F.normalize(points, dim=-1) @ F.normalize(bank, dim=-1).T
    return (2 - 2 * cosine.topk(k, dim=-1).values[..., -1]).clamp_min(0)


def boundary(features: Tensor, bank: Tensor, k: int, count: int, *, inlier: bool = False) -> tuple[Tensor, Tensor]:
    """Rows of a class at its edge.

    Args:
        features: (N, D) of one class. bank: (M, D), those among which neighbours are sought. count: how many rows.
        inlier: take the densest rows in place of the sparsest.

    Returns:
        (count,) row numbers, the most extreme first, and their (count,) k-th distances, negated for inliers.
    """
    distance = kth_distance(features, bank, k)
    found = (-distance if inlier else distance).topk(count)
    return found.indices, found.values


def candidates(centres: Tensor, noise: Tensor, sigma: float, *, unit: bool) -> Tensor:
    """Noise round boundary points.

    Args:
        centres: (P, D). noise: (L, D) or (P, L, D) standard normal. sigma: its scale.
        unit: bring candidates back to unit length, as Dream-OOD does and NPOS does not.

    Returns:
        (P, L, D).
    """
    points = centres[:, None] + sigma * noise
    return F.normalize(points, dim=-1) if unit else points


def farthest(distance: Tensor, keep: int, *, original_selection: bool = False) -> Tensor:
    """The candidates with the largest k-th distance in each block.

    Args:
        distance: (P, L) k-th distances of P blocks. keep: how many of each block.
        original_selection: read the distances as if blocks were interleaved, as both original programs do by mistake, and for
            one kept point return Dream-OOD's rows, all of the first block.

    Returns:
        (P, keep) positions 0..L-1 within the blocks; under `original_selection` with `keep` 1, (1, P) of the first block.
    """
    if not original_selection:
        return distance.topk(keep, dim=1).indices
    mistaken = distance.reshape(distance.shape[1], distance.shape[0]).topk(keep, dim=0).indices
    return mistaken if keep == 1 else mistaken.T
