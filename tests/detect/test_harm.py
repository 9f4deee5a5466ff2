"""Harm: it is what leaving an outlier out does."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from badood import config
from badood.detect.backbone import Head
from badood.detect.energy_loss import energy
from badood.detect.harm import MILLION, HeldOut, disagreement, gradient_anomaly, halves, harm
from badood.detect.head import HeadRetrain
from badood.evaluate.agreement import agreement

OUTLIERS = 60


def world(seed: int, harmful: int) -> tuple[HeadRetrain, HeldOut, Tensor]:
    """A head of two classes in four dimensions; the first `harmful` outliers lie among the ID images, the others where held-out OOD lies."""
    draw = torch.Generator().manual_seed(seed)

    def around(*centre: float, count: int) -> Tensor:
        return torch.tensor(centre) + 0.6 * torch.randn(count, 4, generator=draw)

    of_id = torch.cat([around(3, 0, 0, 0, count=150), around(0, 3, 0, 0, count=150)])
    labels = torch.arange(2).repeat_interleave(150)
    outliers = torch.cat([around(2.5, 0.5, 0, 0, count=harmful), around(1, 1, 2, 0, count=OUTLIERS - harmful)])
    torch.manual_seed(seed)
    cfg = config.Detector(epochs=1, batch_size=2, lr=0.1, image_size=8, beta=0.5)
    retrain = HeadRetrain(Head(4, 2, cfg), of_id, labels, outliers, cfg)
    held_out = HeldOut(torch.cat([around(3, 0, 0, 0, count=80), around(0, 3, 0, 0, count=80)]), around(1, 1, 1.5, 0, count=120))
    return retrain, held_out, outliers


def loss_at(retrain: HeadRetrain, held_out: HeldOut, theta: Tensor, row: int, weight: float) -> float:
    """Held-out loss of a retrain in which one outlier has another weight, in millionths."""
    weights = torch.ones(len(retrain.outliers), dtype=torch.float64)
    weights[row] = weight
    return MILLION * float(held_out.loss(retrain)(retrain.minimum(weights, begin=theta)))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_what_leaving_out_one_does(seed: int) -> None:
    retrain, held_out, outliers = world(seed, harmful=20)
    theta = retrain.minimum()
    found = harm(retrain, theta, held_out, outliers)
    slopes = [
        (loss_at(retrain, held_out, theta, row, 1.02) - loss_at(retrain, held_out, theta, row, 0.98)) / 0.04 for row in range(OUTLIERS)
    ]
    np.testing.assert_allclose(found, slopes, rtol=0.02, atol=0.01 * np.abs(found).max())
    whole = MILLION * float(held_out.loss(retrain)(theta))
    falls = [whole - loss_at(retrain, held_out, theta, row, 0) for row in range(OUTLIERS)]
    assert np.corrcoef(found, falls)[0, 1] > 0.95
    assert abs(found.sum()) < 1e-6 * np.abs(found).sum()


def test_outliers_among_id_images_are_harmful_and_others_are_not() -> None:
    retrain, held_out, outliers = world(2, harmful=20)
    found = harm(retrain, retrain.minimum(), held_out, outliers)
    assert np.mean(found[:20] > np.median(found)) > 0.8
    assert found[:20].mean() > 0 > found[20:].mean()


def test_it_foretells_retrains_on_halves() -> None:
    retrain, held_out, outliers = world(3, harmful=30)
    theta = retrain.minimum()
    found = harm(retrain, theta, held_out, outliers)
    foretold, real, _ = halves(retrain, theta, held_out, found, 20)
    told = agreement(foretold, real)
    assert told.trusted
    assert told.spearman > 0.9
    assert np.std(foretold) == pytest.approx(np.std(real), rel=0.25)
    # and harm that is none foretells nothing
    random = np.random.default_rng(0).permutation(found)
    assert not agreement(halves(retrain, theta, held_out, random, 20).foretold, real).lo > 0.3


def test_heads_disagree_most_about_what_some_of_them_never_saw() -> None:
    retrain, held_out, outliers = world(6, harmful=20)
    lonely = torch.tensor([[0.0, 0.0, 0.0, 6.0]])  # one outlier of its kind is in a half, or is not
    retrain = HeadRetrain(retrain.head(retrain.start), retrain.features, retrain.labels, torch.cat([outliers, lonely]), retrain.cfg)
    heads = halves(retrain, retrain.minimum(), held_out, np.zeros(OUTLIERS + 1), 12).heads
    found = disagreement(retrain, heads, torch.cat([outliers, lonely]))
    energies = [retrain.energy(head, lonely.double()).item() for head in heads]
    assert found[-1] == pytest.approx(np.std(energies, ddof=1))
    assert found[-1] > 2 * np.median(found)
    np.testing.assert_array_equal(disagreement(retrain, heads[:1].expand(3, -1), outliers), 0)


def test_outliers_that_were_not_trained_on_are_told_as_if_they_had_been() -> None:
    retrain, held_out, outliers = world(4, harmful=20)
    theta = retrain.minimum()
    every = torch.cat([outliers, outliers[:5]])
    found = harm(retrain, theta, held_out, every)
    np.testing.assert_array_equal(found[OUTLIERS:], found[:5])


def gradients(retrain: HeadRetrain, theta: Tensor, outliers: Tensor) -> NDArray[np.float64]:
    head, rows = retrain.head(theta), []
    for each in outliers:
        head.zero_grad()
        torch.nn.functional.softplus(-head.phi(energy(head(each[None].float())))).sum().backward()  # type: ignore[no-untyped-call]
        assert head.linear.weight.grad is not None
        rows.append(head.linear.weight.grad.flatten().numpy().copy())
    return np.array(rows)


def test_unusual_gradients_stand_out() -> None:
    retrain, _, outliers = world(5, harmful=4)
    theta = retrain.minimum()
    found = gradient_anomaly(retrain, theta, outliers)
    slopes = gradients(retrain, theta, outliers)
    length = np.linalg.norm(slopes - slopes.mean(axis=0), axis=1)
    assert np.corrcoef(found, length)[0, 1] > 0.6
    assert set(np.argsort(-found)[:3]) <= set(np.argsort(-length)[:10])
