"""z -> images: the VQGAN tokenizer, MAGE that predicts its codes from a representation, parallel decoding. Paper sec. 3.3."""

import torch
from torch import Tensor

from badood.config import Decode
from badood.core.compute import Compute
from badood.core.noise import Noise
from badood.core.progress import Progress
from badood.decode.mage import MAGE
from badood.decode.parallel_decoding import decode_codes
from badood.decode.vqgan import VQGAN

__all__ = ["decode_images"]


def decode_images(
    mage: MAGE, vqgan: VQGAN, z: Tensor, cfg: Decode, *, noise: Noise, compute: Compute, progress: Progress | None = None
) -> Tensor:
    """An image for every representation; row i depends on z[i] and noise.rows[i] alone, up to rounding.

    Args:
        mage, vqgan: in eval mode, on the compute's device.
        z: (N, dim) representations. noise: of the same rows.

    Returns:
        (N, 3, H, W) uint8 on the CPU.
    """

    def codes_of(rows: Tensor) -> Tensor:
        rows = rows.cpu()
        return decode_codes(mage, compute.put(z[rows]), cfg, noise.take(rows.numpy()))

    # both halves of the guidance; a block holds some 16 arrays of the hidden state's size, in at most 4 bytes
    mage_bytes = 2 * (mage.length + 1) * mage.cfg.width * 16 * 4
    codes = compute.map(
        codes_of, torch.arange(len(z)), compute.batch_size(mage_bytes, cfg.batch_size), stage="decode codes", progress=progress
    )
    return compute.map(
        vqgan.decode_indices,
        codes,
        compute.batch_size(vqgan.bytes_per_image(mage.length), cfg.batch_size),
        stage="decode pixels",
        progress=progress,
    )
