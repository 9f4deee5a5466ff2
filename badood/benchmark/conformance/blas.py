"""Float32 sums in the order of the machine that recorded the cases, so that every machine rounds them alike."""

import functools

import torch
from torch import Tensor


def original_moments(centred: Tensor) -> Tensor:
    """Second moments as the recording machine's BLAS rounds them, on any machine.

    Row after row by fused multiply-add in float32, in blocks of at most `BLAS_BLOCK` rows whose sums are added.
    """
    sums = [_fused_sum(block) for block in torch.split(centred, _block_sizes(len(centred)))]
    return functools.reduce(torch.add, sums) / len(centred)


BLAS_BLOCK = 320
"""Rows that OpenBLAS's kernels for AVX2 sum up before they add to the result."""


def _block_sizes(rows: int) -> list[int]:
    """How OpenBLAS cuts the rows: whole blocks, and what is left between one block and two in halves."""
    sizes = []
    while rows:
        size = BLAS_BLOCK if rows >= 2 * BLAS_BLOCK else (rows + 1) // 2 if rows > BLAS_BLOCK else rows
        sizes.append(size)
        rows -= size
    return sizes


def _fused_sum(rows: Tensor) -> Tensor:
    """Sum of the rows' outer products; float64 holds a product of two float32 exactly, so only the sums are rounded."""
    total = rows.new_zeros(rows.shape[1], rows.shape[1])
    for row in rows.double():
        total = (total.double() + row[:, None] * row).float()
    return total
