"""Parallel decoding: all codes are drawn at once, the least certain are masked again, in a few steps. Source: Chang et al. 2022; RCG."""

import math

import torch
from torch import Tensor

from badood.config import Decode
from badood.core.noise import Noise
from badood.decode.mage import MAGE


def decode_codes(mage: MAGE, z: Tensor, cfg: Decode, noise: Noise) -> Tensor:
    """Codes of an image for every representation.

    Args:
        z: (N, dim) on the network's device. noise: of the same N rows; decides every draw.

    Returns:
        (N, L) int64 codes.
    """
    ids = torch.full((len(z), mage.length), mage.mask_id, device=z.device)
    for step in range(cfg.steps):
        unknown = ids == mage.mask_id
        probabilities = unknown_logits(mage, ids, z, guidance_at(step, cfg)).softmax(dim=1)
        draws = noise.uniform((mage.length,), "code", step).to(z.device)
        drawn = draw(probabilities, draws[unknown])
        chosen = torch.full_like(draws, torch.inf).masked_scatter(unknown, probabilities.gather(1, drawn[:, None]))
        ids = ids.masked_scatter(unknown, drawn)
        gumbel = noise.gumbel((mage.length,), "confidence", step).to(z.device)
        again = least_certain(chosen, gumbel, temperature_at(step, cfg), still_masked(unknown, step, cfg.steps))
        result, ids = ids, ids.masked_fill(again, mage.mask_id)
    return result


def unknown_logits(mage: MAGE, ids: Tensor, z: Tensor, weight: float) -> Tensor:
    """Logits of the masked positions, guided away from the unconditional ones; both halves run as one batch.

    Args:
        ids: (N, L) int64. z: (N, dim). weight: of the guidance; 0 skips the unconditional half.

    Returns:
        (U, codes) float32, the U masked positions of all rows in order.
    """
    unknown = ids == mage.mask_id
    if weight == 0:
        return mage.logits(_hidden(mage, ids, z)[unknown])
    condition = torch.cat([z, mage.fake_latent.expand_as(z).to(z.dtype)])
    hidden = _hidden(mage, ids.repeat(2, 1), condition)
    conditional, unconditional = mage.logits(hidden[unknown.repeat(2, 1)]).chunk(2)
    return guided(conditional, unconditional, weight)


def _hidden(mage: MAGE, ids: Tensor, condition: Tensor) -> Tensor:
    return mage.decode(mage.encode(mage.embed(ids, condition)), ids == mage.mask_id)


def guided(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """Classifier-free guidance: conditional logits, pushed away from the unconditional ones."""
    return conditional - weight * (unconditional - conditional)


def guidance_at(step: int, cfg: Decode) -> float:
    """Weight of the guidance: grows linearly and reaches `cfg.guidance` at the last step."""
    return cfg.guidance * (step + 1) / cfg.steps


def temperature_at(step: int, cfg: Decode) -> float:
    """Factor on the Gumbel noise of the confidence: falls linearly to 0 at the last step."""
    return cfg.temperature * (1 - (step + 1) / cfg.steps)


def draw(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """One id a row by the inverse CDF: (U, K) probabilities, (U,) in (0, 1) -> (U,) int64."""
    cumulated = probabilities.cumsum(dim=1)
    # the last sum may round to less than 1
    return torch.searchsorted(cumulated, uniform[:, None] * cumulated[:, -1:]).squeeze(1).clamp_max(probabilities.shape[1] - 1)


def still_masked(unknown: Tensor, step: int, steps: int) -> Tensor:
    """How many positions stay masked after a step.

    Cosine schedule, at least one, and at least one fewer than before.

    Args:
        unknown: (N, L) bool, masked before the step.

    Returns:
        (N, 1) int64.
    """
    scheduled = math.floor(unknown.shape[1] * math.cos(math.pi / 2 * (step + 1) / steps))
    return (unknown.sum(dim=1, keepdim=True) - 1).clamp_max(scheduled).clamp_min(1)


def least_certain(chosen: Tensor, gumbel: Tensor, temperature: float, count: Tensor) -> Tensor:
    """Which positions are masked again: those of least confidence, log-probability plus scaled Gumbel noise.

    Args:
        chosen: (N, L) probability of the drawn id; infinite where the id was known before.
        gumbel: (N, L) standard Gumbel. count: (N, 1) int64 positions to mask.

    Returns:
        (N, L) bool; more than `count` are true where confidences tie.
    """
    # in double precision first, as the original's numpy draws are
    confidence = chosen.log() + (temperature * gumbel.double()).float()
    cut_off = confidence.sort(dim=1).values.gather(1, count - 1)
    return confidence <= cut_off
