"""Our scorers and metrics against pytorch-ood's, on the same activations: equal, or in the same order where the docstring says what differs."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from pytorch_ood import detector as published
from pytorch_ood.metrics import OODMetrics
from scipy.stats import spearmanr
from torch import Tensor, nn

from badood.detect.activations import Activations
from badood.detect.scorers import Scorer, scorer
from badood.evaluate.metrics import ood_metrics

CLASSES, WIDTH = 5, 12
K = 7

Oracle = Callable[[Activations, Tensor, Activations], Tensor]
"""(ID activations, their classes, activations) -> pytorch-ood's anomalies."""


class _Pixels:
    """A network of one layer, whose input is its features."""

    pixel_std = (1.0, 1.0, 1.0)

    def __init__(self, head: nn.Linear) -> None:
        self.head = head

    def parameters(self):  # type: ignore[no-untyped-def]
        return self.head.parameters()

    def prepare(self, images: Tensor) -> Tensor:
        return images

    def classify(self, prepared: Tensor) -> Tensor:
        return self.head(prepared.flatten(1))


def activations(features: Tensor, head: nn.Linear) -> Activations:
    with torch.no_grad():
        images = features.view(-1, 3, 2, 2)
        return Activations(head(features), features, head, images=images, network=_Pixels(head))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seen() -> tuple[Activations, Tensor, Activations]:
    """200 ID images round a mean a class, and 80 others; features are not negative, as behind a ReLU. The head is the classes' means', so
    that its rows add up to 0 but for rounding, as weight decay makes them."""
    rng = torch.Generator().manual_seed(0)
    means = 2 * torch.rand(CLASSES, WIDTH, generator=rng)
    labels = torch.arange(200) % CLASSES
    train = (means[labels] + 0.4 * torch.randn(200, WIDTH, generator=rng)).relu()
    test = torch.cat([means[labels[:40]] + 0.4 * torch.randn(40, WIDTH, generator=rng), torch.rand(40, WIDTH, generator=rng)]).relu()
    head = nn.Linear(WIDTH, CLASSES)
    with torch.no_grad():
        head.weight.copy_(means - means.mean(dim=0))
        head.bias.copy_(-0.5 * means.square().sum(dim=1) + means @ means.mean(dim=0))
    return activations(train, head), labels, activations(test, head)


def linear(given: Activations) -> tuple[Tensor, Tensor]:
    return given.head.weight.detach(), given.head.bias.detach()


def flat(head: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), head)


def gradnorm(_: Activations, __: Tensor, test: Activations) -> Tensor:
    # the mean over the classes there, the sum here
    return CLASSES * published.GradNorm(test.head, param_filter=lambda name: name == "weight").predict(test.features)


def odin(_: Activations, __: Tensor, test: Activations) -> Tensor:
    assert test.network is not None
    return published.ODIN(test.network.classify, eps=0.0014, temperature=1000, norm_std=[1.0, 1.0, 1.0]).predict(test.images)


EQUAL: Mapping[str, Oracle] = {
    "msp": lambda id_, labels, test: published.MaxSoftmax(None).predict_logits(test.logits),
    "maxlogit": lambda id_, labels, test: published.MaxLogit(None).predict_logits(test.logits),
    "energy": lambda id_, labels, test: published.EnergyBased(None).predict_logits(test.logits),
    "klm": lambda id_, labels, test: published.KLMatching(None).fit_logits(id_.logits, labels).predict_logits(test.logits),
    "gen": lambda id_, labels, test: CLASSES * published.GEN(None, gamma=0.1).predict_logits(test.logits),  # a mean there, a sum here
    "knn": lambda id_, labels, test: published.KNN(None, k=K).fit_features(id_.features, labels).predict_features(test.features),
    "nnguide": lambda id_, labels, test: (
        published.NNGuide(None, id_.head, k=K).fit_features(id_.features, labels).predict_features(test.features)
    ),
    "she": lambda id_, labels, test: published.SHE(None, id_.head).fit_features(id_.features, labels).predict_features(test.features),
    "dice": lambda id_, labels, test: (
        published.DICE(None, *linear(id_), p=0.9).fit_features(id_.features, labels).predict_features(test.features)
    ),
    "react": lambda id_, labels, test: (
        published.ReAct(None, id_.head, percentile=0.9).fit_feature_maps(id_.features, labels).predict_feature_maps(test.features)
    ),
    "ash": lambda id_, labels, test: published.ASH(None, flat(test.head), "ash-s", 0.65).predict_feature_maps(
        test.features[:, :, None, None]
    ),
    "scale": lambda id_, labels, test: published.SCALE(None, flat(test.head), 0.65).predict_feature_maps(test.features[:, :, None, None]),
    "gradnorm": gradnorm,
    "odin": odin,
}
"""Scorers that are the same, by name."""

IN_ORDER: Mapping[str, Oracle] = {
    "mahalanobis": lambda id_, labels, test: published.Mahalanobis(None).fit_features(id_.features, labels).predict_features(test.features),
    "rmd": lambda id_, labels, test: published.RMD(None).fit_features(id_.features, labels).predict_features(test.features),
    "vim": lambda id_, labels, test: (
        published.ViM(None, WIDTH // 2, *linear(id_)).fit_features(id_.features, labels).predict_features(test.features)
    ),
    "temperature": lambda id_, labels, test: (
        published.TemperatureScaling(None).fit_logits(id_.logits, labels).predict_logits(test.logits).detach()
    ),
}
"""Scorers that differ by what their docstrings say: scale of the covariance, precision of the sums, where the search for T stops."""

PARAMS = {"knn": {"k": K}, "nnguide": {"k": K}}


def ours(name: str, seen: tuple[Activations, Tensor, Activations]) -> Tensor:
    made: Scorer = scorer.make(name, PARAMS.get(name))
    return made.fit(*seen[:2]).score(seen[2])


@pytest.mark.parametrize("name", EQUAL)
def test_anomalies_are_those_of_pytorch_ood(name: str, seen: tuple[Activations, Tensor, Activations]) -> None:
    torch.testing.assert_close(ours(name, seen), EQUAL[name](*seen).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", IN_ORDER)
def test_images_come_in_the_order_of_pytorch_ood(name: str, seen: tuple[Activations, Tensor, Activations]) -> None:
    found, expected = ours(name, seen), IN_ORDER[name](*seen)
    assert spearmanr(found.numpy(), expected.numpy()).statistic > 0.995


def test_metrics_are_those_of_pytorch_ood(seen: tuple[Activations, Tensor, Activations]) -> None:
    anomaly = ours("energy", seen)
    anomaly = (anomaly - anomaly.min()) / (anomaly.max() - anomaly.min())  # outside 0 to 1 pytorch-ood's are squashed by a sigmoid
    metrics = OODMetrics()
    metrics.update(anomaly, torch.tensor([0] * 40 + [-1] * 40))
    theirs, found = metrics.compute(), ood_metrics(anomaly[:40].numpy(), anomaly[40:].numpy())
    assert found["auroc"] == pytest.approx(theirs["AUROC"], abs=1e-6)
    assert found["aupr"] == pytest.approx(theirs["AUPR-OUT"], abs=1e-3)
    assert found["fpr95_openood"] == pytest.approx(theirs["FPR95TPR"], abs=1 / 40)
    assert np.isfinite(list(found.values())).all()
