"""What a run with given weights checks before it builds on them, and how it tunes them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from badood import config
from badood.core.compute import Compute
from badood.core.errors import BadConfig, BadWeights
from badood.core.weights import save
from badood.detect.backbone import Detector
from badood.detect.energy_loss import rank_correlation
from badood.detect.start import start_detector
from badood.detect.train import make_detector, score

Squares = Callable[[int, int], tuple[Tensor, Tensor]]
Stripes = Callable[[int, int], Tensor]
CLASSES = ("left", "right")


@pytest.fixture
def given_cfg(detector: Detector, cfg: config.Detector, tmp_path: Path) -> config.Detector:
    """Settings of the toy world's detector as weights that somebody gives, with its classes the other way round."""
    state = {name: tensor.flip(0) if name.startswith("head.linear") else tensor for name, tensor in detector.state_dict().items()}
    save(tmp_path / "given.safetensors", state)
    return cfg.model_copy(update={"mode": "as-is", "weights": str(tmp_path / "given.safetensors"), "tuned_epochs": 3.0, "tuned_lr": 0.01})


def test_as_is_is_the_given_network_in_the_datas_order(
    given_cfg: config.Detector, detector: Detector, squares: Squares, stripes: Stripes, compute: Compute
) -> None:
    images, labels = squares(60, 7)
    start = start_detector(given_cfg, images, labels, CLASSES, compute)
    assert start.accuracy > 0.95
    assert "not the data's own" in start.told[0]
    assert start.report()["backbone"] == "resnet10t"
    made, report = make_detector(images, labels, stripes(40, 8), start.cfg, 2, compute=compute, start=start.detector)
    torch.testing.assert_close(score(made, images, compute).logits, score(detector, images, compute).logits)
    untouched = Detector(start.cfg, 2).head.phi.state_dict()
    torch.testing.assert_close(made.head.phi.state_dict(), untouched, rtol=0, atol=0)
    assert report["rank_correlation"] > 0.7


def test_tuning_begins_at_the_given_weights_every_time_and_raises_new_outliers(
    given_cfg: config.Detector, squares: Squares, compute: Compute
) -> None:
    images, labels = squares(100, 3)
    start = start_detector(given_cfg, images, labels, CLASSES, compute)
    before = {name: tensor.clone() for name, tensor in start.detector.state_dict().items()}
    both = torch.maximum(images[labels == 0][:40], images[labels == 1][:40])  # what it never saw
    tuned = start.cfg.model_copy(update={"mode": "tuned"})
    made = [make_detector(images, labels, both, tuned, 2, compute=compute, start=start.detector) for _ in range(2)]
    torch.testing.assert_close(start.detector.state_dict(), before, rtol=0, atol=0)
    torch.testing.assert_close(made[0][0].state_dict(), made[1][0].state_dict(), rtol=0, atol=0)
    apart = [rank_correlation(*(score(one, some, compute).energy for some in (images, both))) for one in (start.detector, made[0][0])]
    assert apart[1] > apart[0] + 0.02
    assert made[0][1]["rank_correlation"] == pytest.approx(apart[1], abs=1e-6)
    assert (score(made[0][0], images, compute).logits.argmax(dim=1) == labels).float().mean() > 0.95


def test_mode_and_given_weights_must_go_together(cfg: config.Detector, detector: Detector, squares: Squares, compute: Compute) -> None:
    images, labels = squares(8, 0)
    with pytest.raises(BadConfig, match="mode is tuned, which needs given weights"):
        make_detector(images, labels, images, cfg.model_copy(update={"mode": "tuned"}), 2, compute=compute)
    with pytest.raises(BadConfig, match="mode is scratch, which has no use for given weights"):
        make_detector(images, labels, images, cfg, 2, compute=compute, start=detector)


def test_low_accuracy_stops_with_the_better_normalisation(given_cfg: config.Detector, squares: Squares, compute: Compute) -> None:
    images, labels = squares(60, 7)
    dark = given_cfg.model_copy(update={"mean": (3.0, 0.4, -3.0), "expected_accuracy": 0.99})
    with pytest.raises(BadWeights) as caught:
        start_detector(dark, images, labels, CLASSES, compute)
    for part in (
        "far below the expected 99.0%",
        "normalisation is likely another",
        "100.0% with ImageNet's",
        "detector.mean=[0.485,0.456,0.406]",
    ):
        assert part in str(caught.value)


def test_accuracy_near_chance_stops_without_any_expectation(given_cfg: config.Detector, squares: Squares, compute: Compute) -> None:
    images, _ = squares(64, 7)
    mixed = torch.arange(64) // 2 % 2
    with pytest.raises(BadWeights, match=r"near chance \(50\.0%\)\. No usual normalisation does better.*check the classes"):
        start_detector(given_cfg, images, mixed, CLASSES, compute)


def test_other_classes_stop(given_cfg: config.Detector, squares: Squares, compute: Compute) -> None:
    images, labels = squares(8, 7)
    with pytest.raises(BadWeights, match="tells 2 classes apart, the ID data has 3"):
        start_detector(given_cfg, images, labels, ("a", "b", "c"), compute)


def test_images_of_another_size_are_told(given_cfg: config.Detector, squares: Squares, compute: Compute) -> None:
    images, labels = squares(60, 7)
    large = images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    told = start_detector(given_cfg, large, labels, CLASSES, compute).told
    assert "ID images are 32 x 32 px and the detector's input is 16 px: each is resized" in told[-1]
    assert "take images of 16 px" in told[-1]
