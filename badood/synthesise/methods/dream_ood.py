"""Dream-OOD's embeddings: as NPOS, on the unit sphere."""

from pydantic import NonNegativeFloat
from pydantic.dataclasses import dataclass

from badood.synthesise import synthesiser
from badood.synthesise.methods.npos import NPOS


@synthesiser("dream_ood")
@dataclass(kw_only=True)
class DreamOOD(NPOS):
    """As NPOS, with the noisy copies brought back to the embeddings' sphere. Source: Du et al. 2023.

    Here the sphere is that of z0; Dream-OOD's is that of a text encoder's class tokens.
    """

    scale: NonNegativeFloat = 0.03

    unit = True
