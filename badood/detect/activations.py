"""What one forward pass saw of a set of images; every scorer reads from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from badood.detect.energy_loss import energy


class Images(Protocol):
    """Images that need not lie in memory; a tensor is one, too."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """(n,) int64 rows on the CPU -> (n, 3, H, W) uint8."""


class Network(Protocol):
    """What a scorer that runs the network again may ask of it."""

    @property
    def stages(self) -> tuple[nn.Module, nn.Module]:
        """The last but one and the last stage of the backbone; each returns a (N, D, h, w) feature map."""

    @property
    def pixel_std(self) -> tuple[float, float, float]:
        """Standard deviation by which `prepare` divides each colour channel, in units of [0, 1] pixels."""

    def prepare(self, images: Tensor) -> Tensor:
        """Images as the set holds them -> the normalised (N, 3, h, w) float input of the backbone."""

    def features(self, prepared: Tensor) -> Tensor:
        """Normalised input -> (N, D) pooled features."""

    def classify(self, prepared: Tensor) -> Tensor:
        """Normalised input -> (N, C) logits."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights."""


@dataclass(frozen=True)
class Activations:
    """N images as a detector sees them, on the CPU in float32.

    Attributes:
        logits: (N, C).
        features: (N, D), pooled; `head` makes the logits from them.
        head: the linear layer.
        phi: (N,) phi(E) of eq. 4; None for networks that were not trained with it.
        images: N of (3, H, W), for scorers that run the network again; a reference, never a copy. None where they are not at hand.
        network: the network itself; None with `images`.
    """

    logits: Tensor
    features: Tensor
    head: nn.Linear
    phi: Tensor | None = None
    images: Images | None = None
    network: Network | None = None

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def energy(self) -> Tensor:
        """(N,) E(x), eq. 3; larger looks more OOD."""
        return energy(self.logits)
