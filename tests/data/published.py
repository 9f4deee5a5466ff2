"""Tiny stand-ins of the published OOD sets, each in a layout that it is published in."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from badood.config import Source


def photo(file: Path, value: int) -> None:
    """A small random image, another for each value."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, format="PNG" if file.suffix == ".png" else "JPEG")


def flat(folder: str, suffix: str) -> Callable[[Path], None]:
    """Four images in one folder."""
    return lambda root: [photo(root / folder / f"{number}{suffix}", number) for number in range(4)] and None


def classes(folder: str, names: tuple[str, ...], suffix: str) -> Callable[[Path], None]:
    """Two images in a folder for each class."""

    def make(root: Path) -> None:
        for number in range(2 * len(names)):
            photo(root / folder / names[number // 2] / f"{number}{suffix}", number)

    return make


def listed(root: Path) -> None:
    """The list of ImageNet-OOD beside class folders of ImageNet-21K, which hold an image that it does not name."""
    classes("", ("n02925009", "n00005787"), ".JPEG")(root)
    (root / "imagenetood.txt").write_text("n02925009/0.JPEG\nn02925009/1.JPEG\nn00005787/3.JPEG")


def tiny_imagenet(root: Path) -> None:
    classes("tiny-imagenet-200/train", ("n01443537/images", "n01629819/images"), ".JPEG")(root)
    for name in ("n01443537", "n01629819"):
        (root / "tiny-imagenet-200" / "train" / name / f"{name}_boxes.txt").write_text("0.JPEG\t0\t0\t62\t62\n")
    for number in range(4):
        photo(root / "tiny-imagenet-200" / "val" / "images" / f"{number}.JPEG", 10 + number)
    rows = [f"{number}.JPEG\t{('n01443537', 'n01629819')[number % 2]}\t0\t0\t62\t62\n" for number in range(4)]
    (root / "tiny-imagenet-200" / "val" / "val_annotations.txt").write_text("".join(rows))


def mnist(root: Path) -> None:
    for split, count in {"train": 3, "t10k": 4}.items():
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        _idx(root / "MNIST" / "raw" / f"{split}-images-idx3-ubyte", pixels)
        _idx(root / "MNIST" / "raw" / f"{split}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8))


def _idx(file: Path, values: NDArray[np.uint8]) -> None:
    """LeCun's format: two zeros, 8 = bytes, the number of dimensions, then their lengths."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">i4").tobytes() + values.tobytes())


def svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files as MATLAB writes them: digit 0 has the label 10, the image's number is the last axis. Torchvision is told their checksums."""
    import scipy.io
    from torchvision.datasets import SVHN

    root.mkdir(parents=True, exist_ok=True)
    known = dict(SVHN.split_list)
    for split, count in {"train": 3, "test": 4}.items():
        file = root / f"{split}_32x32.mat"
        pixels = np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        scipy.io.savemat(file, {"X": pixels, "y": np.array([[10], [1], [2], [3]][:count], dtype=np.uint8)})
        known[split] = [known[split][0], file.name, hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(SVHN, "split_list", known)


LAYOUTS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "inaturalist": (flat("iNaturalist/images", ".jpg"), flat("images_largescale/inaturalist/images", ".jpg")),
    "sun": (flat("SUN/images", ".jpg"), flat("images_largescale/sun/images", ".jpg")),
    "places": (flat("Places/images", ".jpg"), flat("images_largescale/places/images", ".jpg")),
    "dtd": (classes("dtd/images", ("banded", "waffled"), ".jpg"), classes("images_classic/texture", ("banded", "waffled"), ".jpg")),
    "lsun-crop": (flat("LSUN/test", ".png"),),
    "lsun-resize": (flat("LSUN_resize/LSUN_resize", ".png"),),
    "isun": (flat("iSUN/iSUN_patches", ".jpeg"),),
    "imagenet-r": (
        classes("imagenet-r", ("n01443537", "n01484850"), ".jpg"),
        classes("images_largescale/imagenet_r", ("n01443537", "n01484850"), ".jpg"),
    ),
    "ssb-hard": (classes("images_largescale/ssb_hard", ("n00470682", "n11622368"), ".JPEG"),),
    "ninco": (
        classes("NINCO/NINCO_OOD_classes", ("Caracal caracal caracal", "amphiuma_means"), ".jpg"),
        classes("images_largescale/ninco", ("amphiuma_means", "cup_cakes"), ".jpg"),
    ),
    "openimage-o": (flat("images_largescale/openimage_o/images", ".jpg"), flat("openimage_o", ".jpg")),
    "imagenet-c": (
        classes("fog/5", ("n01440764", "n01443537"), ".JPEG"),
        classes("images_largescale/imagenet_c/fog/5", ("n01440764", "n01443537"), ".JPEG"),
    ),
    "imagenet-v2": (
        classes("imagenetv2-matched-frequency-format-val", ("0", "10", "2"), ".jpeg"),
        classes("images_largescale/imagenet_v2", ("0", "10", "2"), ".jpeg"),
    ),
    "imagenet-ood": (listed,),
    "tinyimagenet": (tiny_imagenet,),
    "mnist": (mnist,),
}
"""Who lays out each set, in its published layouts; SVHN stands apart, as its checksums do."""

PARAMS: dict[str, dict[str, Any]] = {"imagenet-c": {"corruption": "fog", "severity": 5}}


def source_of(name: str, root: Path, layout: int = 0) -> Source:
    """A stand-in of a set, laid out below `root`, as a source."""
    LAYOUTS[name][layout](root)
    return Source(dataset=name, path=str(root), split="test", params=PARAMS.get(name, {}))
