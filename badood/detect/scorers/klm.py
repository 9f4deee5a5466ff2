"""Divergence from the typical softmax output of a class."""

from typing import ClassVar, Self

from pydantic.dataclasses import dataclass
from pytorch_ood.detector import KLMatching
from torch import Tensor

from badood.detect.activations import Activations
from badood.detect.scorers.base import Scorer, scorer


@scorer("klm")
@dataclass
class KLM(Scorer):
    """Least KL(p || d_k) to the mean softmax output d_k of ID images predicted as class k. Source: Hendrycks et al. 2022.

    Classes that no image of `fit` is predicted as have no d_k and are left out.
    """

    needs: ClassVar = frozenset({"logits"})
    fitted_on: ClassVar = "validation"

    def fit(self, seen: Activations, labels: Tensor) -> Self:
        """Average the softmax outputs by predicted class."""
        self.templates_ = KLMatching(None).fit_logits(seen.logits, labels)
        return self

    def score(self, seen: Activations) -> Tensor:
        """See `Scorer.score`."""
        return self.templates_.predict_logits(seen.logits).detach()
