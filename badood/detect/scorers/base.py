"""What a scorer is, and the registry of them."""

import dataclasses
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from pytorch_ood.detector import EnergyBased
from torch import Tensor

from badood.core.errors import BadConfig, BadInput
from badood.core.registry import Registry
from badood.detect.activations import Activations, Images, Network

_log = logging.getLogger(__name__)

BATCH = 128
"""Images a pass of a scorer that runs the network again; a backward pass keeps all their maps."""

Need = Literal["logits", "features", "images"]


class Scorer(ABC):
    """How far from ID an image looks to a trained classifier. Fields are its hyper-parameters; what `fit` learns ends in `_`.

    Attributes:
        needs: what it reads of the activations; "images" means that it runs the network again, which takes time.
        fitted_on: the ID images that `fit` must be given; "nothing" where there is nothing to learn.
        log_odds: whether the anomaly is in nats, as the log-odds of a probability are, so that it is calibrated as it is.
        least: the fewest ID images that `fit` can learn from. What a hyper-parameter asks for beyond the images at hand is cut, with a
            warning in the log.
    """

    needs: ClassVar[frozenset[Need]]
    fitted_on: ClassVar[Literal["nothing", "train", "validation"]] = "nothing"
    log_odds: ClassVar[bool] = False
    least: ClassVar[int] = 1

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Learn from ID images; does nothing unless the method needs it.

        Args:
            seen: N ID images, those of `fitted_on`.
            labels: (N,) int64 classes.

        Raises:
            BadInput: there are fewer images than `least`.
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


def network_of(seen: Activations, scorer: Scorer) -> tuple[Network, Images]:
    """The network and the images of activations, for a scorer that runs the network again.

    Raises:
        BadInput: they are not there.
    """
    if seen.network is None or seen.images is None:
        raise BadInput(
            f"scorer {type(scorer).__name__} runs the network again and needs images; score with detect.score instead of cached features."
        )
    return seen.network, seen.images


def in_batches(function: Callable[[Tensor], Tensor], network: Network, images: Images) -> Tensor:
    """`function` of the network's input, batch after batch, results on the CPU; in float32, for gradients of the input.

    Args:
        function: normalised (B, 3, h, w) input on the network's device -> (B, ...).
    """
    device = next(network.parameters()).device
    batches = torch.split(torch.arange(len(images)), BATCH)
    return torch.cat([function(network.prepare(images[rows].to(device))).detach().cpu() for rows in batches])


def linear(seen: Activations) -> tuple[Tensor, Tensor]:
    """Weight (C, D) and bias (C,) of the last layer."""
    return seen.head.weight.detach(), seen.head.bias.detach()


def cut(method: str, k: int, seen: Activations) -> int:
    """k nearest ID images, or as many as there are."""
    if k > len(seen):
        _log.warning("%s: k is cut from %d to the %d ID images at hand", method, k, len(seen))
    return min(k, len(seen))


scorer: Registry[type[Scorer]] = Registry("scorer", "badood.detect.scorers")
"""All scorers; `@scorer("name")` adds one."""


def named(entry: str | Mapping[str, Any]) -> tuple[str, Scorer]:
    """A scorer of the settings, and what tables call it.

    Args:
        entry: its name, or its name and parameters: {"name": "knn", "k": 10}.

    Returns:
        Label and scorer: "knn" where every parameter is the default, else with those given, "knn(k=10)".

    Raises:
        BadConfig: it has no name, no scorer has this name, or a parameter is unknown or out of range.
    """
    params = {"name": entry} if isinstance(entry, str) else dict(entry)
    name = params.pop("name", None)
    if not isinstance(name, str):
        raise BadConfig(f"scorer {entry!r} has no name; write it as {{name: knn, k: 10}}.")
    made: Scorer = scorer.make(name, params)
    return label(name, made, params), made


def label(name: str, made: Scorer, given: Mapping[str, Any]) -> str:
    """Name of a scorer with those of its parameters that were given and are not the default."""
    defaults: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(made)} if dataclasses.is_dataclass(made) else {}
    changed = [f"{key}={getattr(made, key)}" for key in sorted(given) if getattr(made, key) != defaults.get(key)]
    return f"{name}({', '.join(changed)})" if changed else name
