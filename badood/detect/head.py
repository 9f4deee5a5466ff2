"""The head alone, on frozen features: what a retrain of a second says of a choice of outliers. DESIGN item 9."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from badood import config
from badood.core.errors import BadInput, TrainingDiverged
from badood.detect.backbone import Head
from badood.detect.energy_loss import energy, outlier_losses, uncertainty_loss

MOST_STEPS = 500
"""Of L-BFGS; a few dozen reach the minimum."""


class HeadRetrain:
    """Eq. 5 as a function of the head, held near the head that it starts from.

    0.5 * `cfg.head_damping` * |theta - start|^2 is added, in place of weight decay. It gives the loss one minimum close by, which is found to
    the last digits within a second; the optimum of separable features would lie at infinity, and how far a retrain came would decide. In
    float64 on the CPU.

    Args:
        start: the detector's own head; it is left as it is.
        features: (N, D) of ID training images. labels: (N,) int64.
        outliers: (M, D) features of outliers.

    Raises:
        BadInput: there is no outlier or no ID image.
    """

    def __init__(self, start: Head, features: Tensor, labels: Tensor, outliers: Tensor, cfg: config.Detector) -> None:
        if not len(features) or not len(outliers):
            raise BadInput(
                f"the head trains on ID images and outliers, got {len(features):,} and {len(outliers):,}; widen the filter or check data.train."
            )
        self._seen = _Seen(copy.deepcopy(start).double().cpu())
        self.features, self.labels, self.outliers = features.double(), labels, outliers.double()
        self.cfg = cfg
        self.start = parameters_to_vector(self._seen.parameters()).detach()

    def __call__(self, theta: Tensor, weights: Tensor) -> Tensor:
        """The loss.

        Args:
            theta: (P,) all parameters of a head. weights: (M,) of the outliers, >= 0; their sum does not matter.
        """
        logits, phi = self._see(theta, self.features)
        of_id = F.cross_entropy(logits, self.labels, label_smoothing=self.cfg.label_smoothing)
        pull = 0.5 * self.cfg.head_damping * (theta - self.start).square().sum()
        return of_id + self.cfg.beta * uncertainty_loss(phi, self._see(theta, self.outliers)[1], weights) + pull

    def losses(self, theta: Tensor, outliers: Tensor) -> Tensor:
        """(n, D) features of outliers -> (n,) the uncertainty loss of each."""
        return outlier_losses(self._see(theta, outliers)[1])

    def energy(self, theta: Tensor, features: Tensor) -> Tensor:
        """(n, D) features -> (n,) E(x) under a head."""
        return energy(self._see(theta, features)[0])

    def minimum(self, weights: Tensor | None = None, begin: Tensor | None = None) -> Tensor:
        """(P,) the head with the least loss.

        Args:
            weights: (M,) of the outliers; none = all alike. begin: a head near by; none = the start.

        Raises:
            TrainingDiverged: the loss is not finite.
        """
        weights = torch.ones(len(self.outliers), dtype=torch.float64) if weights is None else weights.double()
        theta = (self.start if begin is None else begin).clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [theta], max_iter=MOST_STEPS, history_size=20, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            value = self(theta, weights)
            value.backward()  # type: ignore[no-untyped-call]
            return value

        final = optimizer.step(closure)  # type: ignore[no-untyped-call]
        if not torch.isfinite(final):
            raise TrainingDiverged(
                f"head: loss is {final.item()}; the features or the outliers are not finite, or detector.beta = {self.cfg.beta:g} is too large."
            )
        return theta.detach()

    def head(self, theta: Tensor) -> Head:
        """Parameters as a head, in float32 and evaluation mode."""
        head = copy.deepcopy(self._seen.head)
        vector_to_parameters(theta, head.parameters())
        return head.float().eval()

    def _see(self, theta: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """(n, D) features -> (n, C) logits and (n,) phi(E)."""
        parameters = dict(self._seen.named_parameters())
        parts = torch.split(theta, [each.numel() for each in parameters.values()])
        values = {name: part.view_as(parameters[name]) for name, part in zip(parameters, parts, strict=True)}
        seen: Sequence[Tensor] = functional_call(self._seen, values, (features,))
        return seen[0], seen[1]


class _Seen(nn.Module):
    """What a head sees in features: logits and phi(E)."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.head(features)
        return logits, self.head.phi(energy(logits))
