"""Decomposed confidence."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from badood.core.errors import BadInput
from badood.core.seeds import derive_seed
from badood.detect.activations import Activations, Network
from badood.detect.scorers.base import Scorer, in_batches, network_of, scorer


class Cosine(nn.Module):
    """h of DeConf-C: cosine of features and class vectors."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.h = nn.Linear(width, classes, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, C)."""
        return F.linear(_unit(features), _unit(self.h.weight))


def _unit(rows: Tensor) -> Tensor:
    return rows / (rows.norm(dim=1, keepdim=True) + 1e-4)  # the original's guard of a zero row


def confidence_layer(width: int) -> nn.Sequential:
    """g: the learnt temperature."""
    return nn.Sequential(nn.Linear(width, 1), nn.BatchNorm1d(1), nn.Sigmoid())


@scorer("godin")
@dataclass
class GODIN(Scorer):
    """Minus the largest h (or minus g) of logits written as h / g, after a step of the image that raises it.

    Source: Hsu et al. 2020, DeConf-C. h and g are learnt by `fit` on the frozen features: a post-hoc stand-in for the paper's
    training of the whole network. `step` is in units of [0, 1] pixels. Where the gradient is exactly zero the pixel stays; under
    `original_sign` it moves up, as OpenOOD takes that sign for +1.
    """

    needs: ClassVar = frozenset({"images", "features"})
    fitted_on: ClassVar = "train"
    least: ClassVar = 2  # g normalises over the images
    confidence: Literal["h", "g"] = "h"
    step: NonNegativeFloat = 0.0025
    original_sign: bool = False
    steps: PositiveInt = 300

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn h and g: cross-entropy of h / g by Adam on all features at once."""
        if len(seen) < self.least:
            raise BadInput(
                f"godin needs {self.least} ID images to learn from, got {len(seen)}; take more, or leave it out of evaluate.scorers."
            )
        width, classes = seen.features.shape[1], seen.logits.shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed("godin"))
            self.h_, self.g_ = Cosine(width, classes), confidence_layer(width)
        optimizer = torch.optim.Adam([*self.h_.parameters(), *self.g_.parameters()], lr=0.01)
        for _ in range(self.steps):
            optimizer.zero_grad()
            F.cross_entropy(self.h_(seen.features) / self.g_(seen.features), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        self.g_.eval()
        return self

    def outputs(self, seen: Activations) -> tuple[Tensor, Tensor]:
        """(N, C) h and (N, 1) g of the moved images."""
        network, images = network_of(seen, self)

        def both(prepared: Tensor) -> Tensor:
            features = network.features(self._moved(network, prepared)).cpu()
            return torch.cat([self.h_(features), self.g_(features)], dim=1)

        out = in_batches(both, network, images)
        return out[:, :-1], out[:, -1:]

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        h, g = self.outputs(seen)
        return -(h if self.confidence == "h" else g).amax(dim=1)

    def _moved(self, network: Network, prepared: Tensor) -> Tensor:
        """The input, one step up the gradient of its largest h (or of g)."""
        with torch.enable_grad():
            prepared = prepared.detach().requires_grad_()
            features = network.features(prepared).cpu()
            raised = self.h_(features) if self.confidence == "h" else self.g_(features)
            (gradient,) = torch.autograd.grad(raised.amax(dim=1).sum(), prepared)
        sign = torch.where(gradient >= 0, 1.0, -1.0) if self.original_sign else gradient.sign()
        return prepared.detach() + self.step * sign / gradient.new_tensor(network.pixel_std)[:, None, None]
