"""What a scorer is, and the registry of them."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from badood.core.errors import BadInput
from badood.core.registry import Registry
from badood.detect.activations import Activations, Network

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


def in_batches(scores: list[Tensor]) -> Tensor:
    """The scores of consecutive batches as one (N,) tensor."""
    return torch.cat(scores) if scores else torch.zeros(0)


scorer: Registry[type[Scorer]] = Registry("scorer", "badood.detect.scorers")
