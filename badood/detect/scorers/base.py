"""What a scorer is, and the registry of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, Self

import torch
from pytorch_ood.detector import EnergyBased
from torch import Tensor

from badood.core.errors import BadInput
from badood.core.registry import Registry
from badood.detect.activations import Activations, Network

BATCH = 128
"""Images a pass of a scorer that runs the network again; a backward pass keeps all their maps."""

Need = Literal["logits", "features", "images"]


class Scorer(ABC):
    """How odd an image looks to a trained classifier. Fields are its hyper-parameters; what `fit` learns ends in `_`.

    Attributes:
        needs: what it reads of the activations; "images" means that it runs the network again, which takes time.
        fitted_on: the ID images that `fit` must be given; "nothing" where there is nothing to learn.
    """

    needs: ClassVar[frozenset[Need]]
    fitted_on: ClassVar[Literal["nothing", "train", "validation"]] = "nothing"

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn from ID images; does nothing unless the method needs it.

        Args:
            seen: N ID images, those of `fitted_on`.
            labels: (N,) int64 classes.

        Raises:
            BadInput: there are too few images for the method.
        """
        return self

    @abstractmethod
    def score(self, seen: Activations) -> Tensor:
        """Anomaly of every image.

        Returns:
            (N,) float, larger = more OOD; no two scorers share a unit.

        Raises:
            BadInput: the activations lack something of `needs`.
        """


class Reshaping(Scorer):
    """A scorer that changes what the classifier computes and takes the free energy of the logits that come out."""

    @abstractmethod
    def logits(self, seen: Activations) -> Tensor:
        """(N, C) logits of the changed classifier."""

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return EnergyBased.score(self.logits(seen))


def network_of(seen: Activations, scorer: Scorer) -> tuple[Network, Tensor]:
    """The network and the images of activations, for a scorer that runs the network again.

    Raises:
        BadInput: they are not there.
    """
    if seen.network is None or seen.images is None:
        raise BadInput(
            f"scorer {type(scorer).__name__} runs the network again and needs images; score with detect.score instead of cached features."
        )
    return seen.network, seen.images


def in_batches(function: Callable[[Tensor], Tensor], network: Network, images: Tensor) -> Tensor:
    """`function` of the network's input, batch after batch, results on the CPU; in float32, for gradients of the input.

    Args:
        function: normalised (B, 3, h, w) input on the network's device -> (B, ...).
    """
    device = next(network.parameters()).device
    return torch.cat([function(network.prepare(batch.to(device))).detach().cpu() for batch in torch.split(images, BATCH)])


def linear(seen: Activations) -> tuple[Tensor, Tensor]:
    """Weight (C, D) and bias (C,) of the last layer."""
    return seen.head.weight.detach(), seen.head.bias.detach()


scorer: Registry[type[Scorer]] = Registry("scorer", "badood.detect.scorers")
