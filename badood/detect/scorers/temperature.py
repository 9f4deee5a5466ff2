"""Softmax at a fitted temperature."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("temperature")
@dataclass
class Temperature(Scorer):
    """Minus the largest softmax probability of logits / T. Source: Guo et al. 2017.

    T minimises the cross-entropy by L-BFGS. With a line search it gets there; OpenOOD and pytorch-ood take 50 steps of rate 0.01
    without one and stop on the way (start 1.5 and 1.0).
    """

    needs: ClassVar = frozenset({"logits"})
    fitted_on: ClassVar = "validation"
    start: PositiveFloat = 1.5
    rate: PositiveFloat = 1.0
    steps: PositiveInt = 100
    line_search: Literal["strong_wolfe"] | None = "strong_wolfe"

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn the temperature."""
        temperature = torch.full((1,), self.start, dtype=seen.logits.dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS([temperature], lr=self.rate, max_iter=self.steps, line_search_fn=self.line_search)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(seen.logits / temperature, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        self.temperature_ = temperature.detach()
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return -(seen.logits / self.temperature_).softmax(dim=1).amax(dim=1)
