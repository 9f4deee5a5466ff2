"""The check of a classifier that somebody brings, on real files where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from badood.benchmark.detector_check import check_detector
from badood.config import load_config, weights_path
from badood.core.compute import choose
from badood.core.errors import BadConfig, BadInput
from badood.data import dataset
from badood.data.record import ImageSet, from_array
from tests.detect.foreign import ResNet20, seasoned


@pytest.fixture(scope="session")
def known(test_data: Path) -> ImageSet:
    return dataset["cifar10"](test_data / "data" / "cifar10", "test")


@pytest.fixture(scope="session")
def odd(test_data: Path) -> ImageSet:
    return dataset["cifar100"](test_data / "data" / "cifar100", "test").take(np.arange(5000))


# resnet56's FPR95 is published as 54.7: accepting one more of the 10,000 ID images than 95 % of them gives that
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backbone", "error", "fpr95", "auroc"),
    [
        ("resnet20-12fca82f.th", "resnet20-cifar", 0.0827, 0.5832, 0.884),
        ("resnet56-4bfd9763.th", "resnet56-cifar", 0.0661, 0.5458, 0.877),
    ],
)
def test_published_figures_come_out(
    name: str, backbone: str, error: float, fpr95: float, auroc: float, test_data: Path, known: ImageSet, odd: ImageSet
) -> None:
    found = check_detector(
        str(test_data / "checkpoints" / name), known, {"cifar100": odd}, compute=choose("cpu", "fp32"), expected_accuracy=1 - error
    )
    assert (found.backbone, found.classes, found.image_size, found.images) == (backbone, 10, 32, 10_000)
    assert round(1 - found.accuracy, 4) == error
    assert found.ood["cifar100"]["fpr95"] == pytest.approx(fpr95, abs=0.0005)
    assert found.ood["cifar100"]["auroc"] == pytest.approx(auroc, abs=0.0005)
    assert found.as_expected
    assert "the data's own" in found.told[0]


@pytest.mark.slow
def test_the_shipped_classifier_is_as_good_as_published_ones(test_data: Path, known: ImageSet, odd: ImageSet) -> None:
    detector = load_config("cifar10").detector.model_dump(include={"backbone", "mirrored", "image_size"})
    found = check_detector(str(weights_path(load_config("cifar10"), "detector")), known, {"cifar100": odd}, **detector)
    assert found.accuracy >= 0.93
    assert found.ood["cifar100"]["auroc"] >= 0.89


def test_a_wrong_normalisation_is_told_with_the_right_one(test_data: Path, known: ImageSet) -> None:
    file, some = str(test_data / "checkpoints" / "resnet20-12fca82f.th"), known.take(np.arange(0, 10_000, 25))
    wrong = check_detector(file, some, mean=(0, 0, 0), std=(1, 1, 1), expected_accuracy=0.917)
    assert not wrong.as_expected
    assert wrong.accuracy < 0.8
    assert "detector.mean=[0.485,0.456,0.406] detector.std=[0.229,0.224,0.225]" in wrong.told[-1]
    right = check_detector(file, some, expected_accuracy=0.917)
    assert right.as_expected
    assert right.ood == {}


def test_images_of_another_size_and_chance_are_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(seasoned(ResNet20(4)).state_dict(), tmp_path / "random.pth")
    # as many that random weights, which name nearly all of one class, cannot be right more often than chance by luck
    pixels = np.random.default_rng(0).integers(0, 256, (400, 48, 40, 3), dtype=np.uint8)
    photos = from_array("photos", pixels, np.arange(400) % 4, ("a", "b", "c", "d"))
    found = check_detector(str(tmp_path / "random.pth"), photos, {"same": photos})
    assert not found.as_expected
    assert any("ID images are 40 x 48 px and the detector's input is 32 px" in line for line in found.told)
    assert any("No usual normalisation" in line or "normalisation is likely another" in line for line in found.told)
    assert found.ood["same"]["auroc"] == pytest.approx(0.5)


def test_what_cannot_be_checked_is_told(tmp_path: Path) -> None:
    none = from_array("nothing", np.zeros((0, 32, 32, 3), dtype=np.uint8), np.zeros(0, dtype=np.int64), ("a", "b"))
    with pytest.raises(BadInput, match="nothing has no images"):
        check_detector("x.pth", none)
    one = from_array("one", np.zeros((1, 32, 32, 3), dtype=np.uint8), np.zeros(1, dtype=np.int64), ("a", "b"))
    with pytest.raises(BadConfig, match=r"std\.0 = 0.*greater than 0"):
        check_detector("x.pth", one, std=(0, 1, 1))
