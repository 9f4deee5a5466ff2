"""The head alone: what a preview retrains."""

import numpy as np
import pytest
import torch
from torch import Tensor

from badood import config
from badood.core.compute import Compute
from badood.core.errors import BadInput, TrainingDiverged
from badood.detect.backbone import Detector
from badood.detect.energy_loss import rank_correlation
from badood.detect.head import HeadRetrain
from badood.detect.train import score
from tests.detect.conftest import Squares

Seen = tuple[Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def seen(squares: Squares, detector: Detector, compute: Compute) -> Seen:
    """Features of ID images, their classes, and features of outliers that the detector never saw: both squares at once."""
    images, labels = squares(100, 3)
    both = torch.maximum(images[labels == 0][:40], images[labels == 1][:40])
    return score(detector, images, compute).features, labels, score(detector, both, compute).features


def test_it_learns_new_outliers_and_leaves_the_detector(seen: Seen, detector: Detector, cfg: config.Detector) -> None:
    features, labels, outliers = seen
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    retrain = HeadRetrain(detector.head, features, labels, outliers, cfg)
    head = retrain.head(retrain.minimum())
    torch.testing.assert_close(detector.state_dict(), before, rtol=0, atol=0)
    of_id, of_ood = head.see(features), head.see(outliers)
    was_id, was_ood = detector.head.see(features), detector.head.see(outliers)
    assert rank_correlation(of_id.energy, of_ood.energy) >= rank_correlation(was_id.energy, was_ood.energy)
    assert of_ood.energy.mean() - of_id.energy.mean() > was_ood.energy.mean() - was_id.energy.mean() + 0.5
    assert (of_id.logits.argmax(dim=1) == labels).float().mean() > 0.95


def test_the_minimum_is_one_wherever_it_begins(seen: Seen, detector: Detector, cfg: config.Detector) -> None:
    features, labels, outliers = seen
    retrain = HeadRetrain(detector.head, features, labels, outliers, cfg)
    found = retrain.minimum()
    elsewhere = found + 0.05 * torch.randn(len(found), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(retrain.minimum(begin=elsewhere), found, rtol=0, atol=1e-4)
    even = torch.ones(len(outliers), dtype=torch.float64)
    slope = torch.func.grad(lambda theta: retrain(theta, even))(found)
    assert slope.abs().max() < 1e-5


def test_weights_leave_outliers_out(seen: Seen, detector: Detector, cfg: config.Detector) -> None:
    features, labels, outliers = seen
    kept = np.arange(len(outliers)) % 3 > 0
    weighted = HeadRetrain(detector.head, features, labels, outliers, cfg).minimum(torch.from_numpy(kept))
    without = HeadRetrain(detector.head, features, labels, outliers[kept], cfg).minimum()
    torch.testing.assert_close(weighted, without, rtol=0, atol=1e-5)


def test_strong_damping_holds_the_head(seen: Seen, detector: Detector, cfg: config.Detector) -> None:
    features, labels, outliers = seen
    held, free = (
        HeadRetrain(detector.head, features, labels, outliers, cfg.model_copy(update={"head_damping": damping})) for damping in (100, 1e-3)
    )
    assert (held.minimum() - held.start).norm() < 0.05 * (free.minimum() - free.start).norm()


def test_what_cannot_be_trained_is_told(seen: Seen, detector: Detector, cfg: config.Detector) -> None:
    features, labels, outliers = seen
    with pytest.raises(BadInput, match="got 0 and 40"):
        HeadRetrain(detector.head, features[:0], labels[:0], outliers, cfg)
    with pytest.raises(BadInput, match="got 100 and 0"):
        HeadRetrain(detector.head, features, labels, outliers[:0], cfg)
    with pytest.raises(TrainingDiverged, match="head: loss is nan"):
        HeadRetrain(detector.head, features, labels, outliers * float("nan"), cfg).minimum()
