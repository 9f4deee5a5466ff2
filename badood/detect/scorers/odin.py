"""Softmax at a high temperature, after a step of the image towards its predicted class."""

from typing import ClassVar

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from pydantic.dataclasses import dataclass
from pytorch_ood.detector.odin import odin_preprocessing
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, in_batches, network_of, scorer


@scorer("odin")
@dataclass
class ODIN(Scorer):
    """Minus the largest softmax probability of logits / T of the moved image. Source: Liang et al. 2018.

    `step` is in units of [0, 1] pixels. Where the gradient is exactly zero the pixel stays; under `original_sign` it moves down, as
    OpenOOD takes that sign for +1.
    """

    needs: ClassVar = frozenset({"images"})
    temperature: PositiveFloat = 1000.0
    step: NonNegativeFloat = 0.0014
    original_sign: bool = False

    def logits(self, seen: Activations) -> Tensor:
        """(N, C) logits of the moved images."""
        network, images = network_of(seen, self)
        std = list(network.pixel_std)

        def moved(prepared: Tensor) -> Tensor:
            ahead = odin_preprocessing(network.classify, prepared, eps=self.step, temperature=self.temperature, norm_std=std)
            if self.original_sign:
                down = prepared - self.step / prepared.new_tensor(std)[:, None, None]
                ahead = torch.where(ahead == prepared, down, ahead)
            with torch.no_grad():
                return network.classify(ahead)

        return in_batches(moved, network, images)

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return -(self.logits(seen) / self.temperature).softmax(dim=1).amax(dim=1)
