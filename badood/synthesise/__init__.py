"""z0 -> outlier embeddings. Paper sec. 3.2."""

from abc import ABC, abstractmethod
from typing import Self

from pydantic import ConfigDict, NonNegativeFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood.core.noise import Noise
from badood.core.registry import Registry
from badood.synthesise.rdm import RDM


@dataclass(config=ConfigDict(extra="forbid"), kw_only=True)
class Synthesiser(ABC):
    """A way from ID embeddings to outlier embeddings. Fields are its hyper-parameters.

    Attributes:
        scale: how far outliers go, in the method's own unit; a run gives several.
    """

    scale: NonNegativeFloat

    @property
    def t(self) -> int:
        """Diffusion step at which a run starts; 0 for a method without diffusion."""
        return 0

    def fit(self, z0: Tensor, labels: Tensor) -> Self:
        """Learn what the method needs of all ID embeddings, (M, D) float32, and their classes, (M,) int64; most learn nothing."""
        return self

    @abstractmethod
    def sample(self, z0: Tensor, labels: Tensor, rdm: RDM, noise: Noise) -> Tensor:
        """One outlier for each anchor, whatever batch the anchor is in.

        Args:
            z0: (N, D) float32 anchors, on the RDM's device. labels: (N,) int64, their classes.
            rdm: in eval mode. noise: of the N outliers; the only source of randomness.

        Returns:
            (N, D) float32 outlier embeddings, on the anchors' device.
        """


synthesiser: Registry[type[Synthesiser]] = Registry("synthesiser", "badood.synthesise.methods")
"""All synthesisers; `@synthesiser("name")` adds one."""

__all__ = ["Synthesiser", "synthesiser"]
