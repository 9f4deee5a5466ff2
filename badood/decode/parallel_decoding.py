"""Parallel decoding: all codes are drawn at once, the least certain are masked again, in a few steps. Source: Chang et al. 2022; RCG."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from badood.config import Decode
from badood.core.noise import Noise, generator
from badood.decode.mage import MAGE, masked_hidden

Logits = Callable[[Tensor, float], Tensor]
"""(ids (N, L) int64, weight of the guidance) -> (U, K) float32 guided logits of the U masked positions of all rows, in order."""


class Draws(Protocol):
    """Where the random choices come from."""

    def ids(self, probabilities: Tensor, unknown: Tensor, step: int) -> Tensor:
        """One id for each of the U masked positions: (U, K), (N, L) bool -> (U,) int64."""
        ...

    def gumbel(self, unknown: Tensor, step: int) -> Tensor:
        """(N, L) bool -> (N, L) standard Gumbel noise for the confidence."""
        ...


@dataclass(frozen=True)
class RowDraws:
    """Draws that depend on row id, step and position alone, not on the batch."""

    noise: Noise

    def ids(self, probabilities: Tensor, unknown: Tensor, step: int) -> Tensor:
        """By the inverse CDF, one uniform number a position."""
        uniform = self.noise.uniform((unknown.shape[1],), "code", step).to(unknown.device)
        return inverse_cdf(probabilities, uniform[unknown])

    def gumbel(self, unknown: Tensor, step: int) -> Tensor:
        """Of every position, masked or not."""
        return self.noise.gumbel((unknown.shape[1],), "confidence", step).to(unknown.device)


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        unknown: (N, L) bool, masked when the step began.
        ids: (N, L) int64, an id at every position.
        chosen: (N, L) float32 probability of the drawn id; infinite where the id was known before.
        count: (N, 1) int64 positions that the schedule masks again.
        masked: (N, L) bool, masked again.
    """

    unknown: Tensor
    ids: Tensor
    chosen: Tensor
    count: Tensor
    masked: Tensor


def decode_codes(mage: MAGE, z: Tensor, cfg: Decode, noise: Noise) -> Tensor:
    """Codes of an image for every representation.

    Args:
        z: (N, dim) on the network's device. noise: of the same N rows; decides every draw.

    Returns:
        (N, L) int64 codes.
    """
    blank = torch.full((len(z), mage.length), mage.mask_id, device=z.device)
    for step in decoding_steps(mage_logits(mage, z, seen_positions(mage, cfg)), RowDraws(noise), cfg, blank, mage.mask_id):
        ids = step.ids
    return ids


def still_masked(unknown: Tensor, step: int, steps: int) -> Tensor:
    """How many positions stay masked after a step: a cosine schedule, at least one, and at least one fewer than before.

    Args:
        unknown: (N, L) bool, masked before the step.

    Returns:
        (N, 1) int64.
    """
    # the share of steps comes first, as in MAGE: cos(pi / 3) of 256 positions is 128 then, not 127
    scheduled = math.floor(unknown.shape[1] * math.cos(math.pi / 2 * ((step + 1) / steps)))
    return (unknown.sum(dim=1, keepdim=True) - 1).clamp_max(scheduled).clamp_min(1)


def decoding_steps(
    logits: Logits,
    draws: Draws,
    cfg: Decode,
    blank: Tensor,
    mask_id: int,
    *,
    count: Callable[[Tensor, int, int], Tensor] = still_masked,
) -> Iterator[Step]:
    """The steps of parallel decoding.

    Args:
        blank: (N, L) int64 ids to start from, `mask_id` where unknown.
        count: how many positions stay masked; the original takes row 0's number for all rows.
    """
    ids = blank
    for step in range(cfg.steps):
        unknown = ids == mask_id
        probabilities = (logits(ids, guidance_at(step, cfg)) / cfg.code_temperature).softmax(dim=1)
        drawn = draws.ids(probabilities, unknown, step)
        known = torch.full(ids.shape, torch.inf, device=ids.device)
        chosen = known.masked_scatter(unknown, probabilities.gather(1, drawn[:, None]))
        ids = ids.masked_scatter(unknown, drawn)
        left = count(unknown, step, cfg.steps)
        masked = least_certain(chosen, draws.gumbel(unknown, step), temperature_at(step, cfg), left)
        yield Step(unknown, ids, chosen, left, masked)
        ids = ids.masked_fill(masked, mask_id)


def mage_logits(mage: MAGE, z: Tensor, kept: Callable[[Tensor], Tensor] | None = None) -> Logits:
    """Logits of MAGE under (N, dim) representations; the conditional and the unconditional half run as one batch.

    Args:
        kept: (N, L) bool, masked -> (N, K) int64 positions that the encoder sees; none = all, as the original.
    """

    def hidden(ids: Tensor, condition: Tensor) -> Tensor:
        unknown = ids == mage.mask_id
        if kept is not None:
            return masked_hidden(mage, ids, condition, kept(unknown), unknown)[unknown]
        return mage.decode(mage.encode(mage.embed(ids, condition)), unknown)[:, 1:][unknown]

    def logits(ids: Tensor, weight: float) -> Tensor:
        if weight == 0:
            return mage.logits(hidden(ids, z))
        both = hidden(ids.repeat(2, 1), torch.cat([z, mage.fake_latent.expand_as(z)]))
        conditional, unconditional = mage.logits(both).chunk(2)
        return guided(conditional, unconditional, weight)

    return logits


def seen_positions(mage: MAGE, cfg: Decode) -> Callable[[Tensor], Tensor] | None:
    """Which positions the encoder sees under the settings, as `mage_logits` takes it."""
    return partial(as_in_training, drop_rate=mage.cfg.mask_rate[0]) if cfg.spare_masked else None


def as_in_training(unknown: Tensor, drop_rate: float) -> Tensor:
    """Positions that the encoder sees where it is spared as many masked ones as in training: (N, L) bool -> (N, K) int64.

    All known positions are among them; masked ones fill up to the share of `1 - drop_rate`, always the same ones first.
    """
    length = unknown.shape[1]
    order = torch.randperm(length, generator=generator("kept positions", length)).to(unknown.device)
    most_known = int((~unknown).sum(dim=1).max())
    seen = max(most_known, length - math.ceil(length * drop_rate))
    return (unknown * length + order).argsort(dim=1)[:, :seen].sort(dim=1).values


def guided(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """Classifier-free guidance: conditional logits, pushed away from the unconditional ones."""
    return conditional - weight * (unconditional - conditional)


def guidance_at(step: int, cfg: Decode) -> float:
    """Weight of the guidance: grows linearly and reaches `cfg.guidance` at the last step."""
    return cfg.guidance * (step + 1) / cfg.steps


def temperature_at(step: int, cfg: Decode) -> float:
    """Factor on the Gumbel noise of the confidence: falls linearly to 0 at the last step."""
    return cfg.temperature * (1 - (step + 1) / cfg.steps)


def inverse_cdf(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """One id a row: (U, K) probabilities, (U,) in (0, 1) -> (U,) int64."""
    cumulated = probabilities.cumsum(dim=1)
    # the last sum may round to less than 1
    return torch.searchsorted(cumulated, uniform[:, None] * cumulated[:, -1:]).squeeze(1).clamp_max(probabilities.shape[1] - 1)


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
