"""NPOS: noise round the sparse edge of each class."""

from typing import Self

import torch
from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from badood.core.noise import Noise
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.boundary import boundary, candidates, farthest, kth_distance
from badood.synthesise.rdm import RDM


@synthesiser("npos")
@dataclass(kw_only=True)
class NPOS(Synthesiser):
    """Each outlier is the farthest of some noisy copies of a boundary point of the anchor's class. Source: Tao et al. 2023.

    Attributes:
        scale: standard deviation of the noise, where embeddings have length 1.
        neighbours: K, the neighbour whose distance tells how sparse a place is; cut to the class's size.
        edge: boundary points a class; cut to the class's size.
        tried: noisy copies of which one is kept.
    """

    scale: NonNegativeFloat = 0.1
    neighbours: PositiveInt = 20
    edge: PositiveInt = 50
    tried: PositiveInt = 100

    unit = False
    """Whether copies are brought back to length 1."""

    def fit(self, z0: Tensor, labels: Tensor) -> Self:
        """Learn each class's boundary points."""
        self.banks_ = {int(label): F.normalize(z0[labels == label], dim=1) for label in torch.unique(labels)}
        self.edges_ = {label: bank[self._edge(bank)] for label, bank in self.banks_.items()}
        return self

    def _edge(self, bank: Tensor) -> Tensor:
        return boundary(bank, bank, min(self.neighbours, len(bank)), min(self.edge, len(bank)))[0]

    def sample(self, z0: Tensor, labels: Tensor, rdm: RDM, noise: Noise) -> Tensor:
        """See `Synthesiser.sample`. No RDM is asked."""
        return self.at_the_edge(z0, labels, noise)

    def at_the_edge(self, z0: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """(N, D) outliers of the classes of (N, D) anchors, and of their lengths; labels: (N,) int64."""
        chosen = noise.uniform((), "boundary point").tolist()
        out = []
        for row, (anchor, label) in enumerate(zip(z0, labels.tolist(), strict=True)):
            bank, edge = self.banks_[label].to(anchor), self.edges_[label].to(anchor)
            centre = edge[int(chosen[row] * len(edge))]
            draws = noise.take(slice(row, row + 1)).normal((self.tried, len(anchor)), "copies").to(anchor)
            copies = candidates(centre[None], draws, self.scale, unit=self.unit)
            spread = kth_distance(copies, bank, min(self.neighbours, len(bank)))
            out.append(anchor.norm() * copies[0, int(farthest(spread, 1))])
        return torch.stack(out)
