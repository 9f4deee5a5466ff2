"""The originals' arithmetic written down plainly, as the yardstick of `speed`: float32, eager, nothing fused, shared or batched."""

import copy
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from badood.config import Decode
from badood.core.compute import Compute, unfuse_attention
from badood.core.noise import Noise
from badood.decode.mage import MAGE
from badood.decode.parallel_decoding import RowDraws, decoding_steps, guided
from badood.decode.vqgan import VQGAN
from badood.synthesise.methods.minority import Minority
from badood.synthesise.rdm import RDM
from badood.synthesise.schedule import ddim_grid

M = TypeVar("M", bound=nn.Module)


def ordinary(module: M, compute: Compute) -> M:
    """A copy in float32 on the device, with attention as two products and a softmax."""
    module = copy.deepcopy(module).to(compute.device)
    unfuse_attention(module)
    return module


def minority(rdm: RDM, z0: Tensor, method: Minority, noise: Noise) -> Tensor:
    """`Minority.sample` with the defaults of the paper, one step after another, time embedded at every call."""
    z_t = rdm.noised(z0, method.start, noise.normal(z0.shape[1:], "start").to(z0))
    for step in ddim_grid(rdm.schedule, method.steps, method.start):
        z_t = z_t.detach().requires_grad_()
        clean = rdm.clean(z_t, step.t)
        draw = noise.normal(z0.shape[1:], "renoise", step.index, 0).to(z0)
        again = rdm.clean(rdm.noised(clean, method.renoise, draw), method.renoise).detach()
        (gradient,) = torch.autograd.grad((clean - again).norm(dim=1).sum(), z_t)
        push = method.scale * gradient / gradient.abs().amax(dim=1, keepdim=True)
        direction = (z_t - step.alpha**0.5 * clean) / (1 - step.alpha) ** 0.5
        z_t = step.alpha_prev**0.5 * clean + (1 - step.alpha_prev) ** 0.5 * direction + push
    return z_t.detach()


def guided_logits(mage: MAGE, ids: Tensor, z: Tensor, weight: float) -> Tensor:
    """(N, L) ids, (N, dim) representations -> (N, L, codes) guided logits of every position."""
    return guided(mage(ids, z), mage(ids, mage.fake_latent.expand_as(z)), weight)


def codes(mage: MAGE, z: Tensor, cfg: Decode, noise: Noise, steps: int) -> Tensor:
    """(N, dim) representations -> (N, L) int64 codes after the first `steps` of the decoding steps, one image after another."""
    found = []
    for row in range(len(z)):
        one = z[row : row + 1]

        def logits(ids: Tensor, weight: float, one: Tensor = one) -> Tensor:
            return guided_logits(mage, ids, one, weight)[ids == mage.mask_id]

        blank = torch.full((1, mage.length), mage.mask_id, device=z.device)
        draws = RowDraws(noise.take(np.array([row])))
        for step in islice(decoding_steps(logits, draws, cfg, blank, mage.mask_id), steps):
            ids = step.ids
        found.append(ids)
    return torch.cat(found)


def pixels(vqgan: VQGAN, found: Tensor) -> Tensor:
    """(N, L) codes -> (N, 3, H, W) uint8, one image after another."""
    return torch.cat([vqgan.decode_indices(one) for one in found.chunk(len(found))])
