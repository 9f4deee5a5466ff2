"""Closeness to the stored pattern of the predicted class."""

from typing import ClassVar, Literal, Self

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("she")
@dataclass
class SHE(Scorer):
    """Minus the closeness of the features to the mean of the predicted class's correctly classified ID images.

    Source: Zhang et al. 2023. A class of which no image is classified correctly stores the mean of all its images; pytorch-ood
    refuses to fit then, and OpenOOD scores NaN.
    """

    needs: ClassVar = frozenset({"logits", "features"})
    fitted_on: ClassVar = "train"
    closeness: Literal["inner_product", "euclidean", "cosine"] = "inner_product"

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Store a pattern a class."""
        correct = seen.logits.argmax(dim=1) == labels
        self.patterns_ = torch.stack([_pattern(seen.features, labels == k, correct) for k in range(seen.logits.shape[1])])
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        pattern = self.patterns_[seen.logits.argmax(dim=1)]
        if self.closeness == "inner_product":
            return -(seen.features * pattern).sum(dim=1)
        if self.closeness == "euclidean":
            return (seen.features - pattern).norm(dim=1)
        return -F.cosine_similarity(seen.features, pattern)


def _pattern(features: Tensor, of_class: Tensor, correct: Tensor) -> Tensor:
    rows = of_class & correct if (of_class & correct).any() else of_class
    # a class without any image at all: the mean of all, which no class is closer to than its own
    return features[rows if rows.any() else slice(None)].mean(dim=0)
