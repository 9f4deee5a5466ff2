"""OpenOOD's list files and protocols."""

from pathlib import Path

import pytest

from badood.config import Source
from badood.core.errors import BadConfig, BadInput, MissingFiles
from badood.data import dataset
from badood.data.fingerprint import fingerprint
from badood.data.openood import PROTOCOLS, members
from badood.data.record import counted
from badood.data.splits import check_source, load
from tests.data.published import photo


def listing(root: Path, file: str, lines: list[str], images: str = "images_classic") -> Path:
    """A list file in OpenOOD's data root, and the images that it names."""
    path = root / "benchmark_imglist" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    for number, line in enumerate(lines):
        photo(root / images / line.split(" ")[0], number)
    return path


def test_labels_are_classes_and_ood_images_have_their_folders(tmp_path: Path) -> None:
    path = listing(tmp_path, "cifar10/test_cifar10.txt", ["cifar10/b/0.png 3", "cifar10/a/1.png 0", "cifar10/b/2.png 3"])
    images = load(Source(dataset="imglist", path=str(path), split="test"), None)
    assert images.classes == ("0", "1", "2", "3")
    assert dict(zip(images.ids, images.labels.tolist(), strict=True)) == {"cifar10/a/1.png": 0, "cifar10/b/0.png": 3, "cifar10/b/2.png": 3}
    path = listing(tmp_path, "cifar10/test_cifar100.txt", ["cifar100/apple/0.png -1", "cifar100/bear/1.png -1"])
    assert load(Source(dataset="imglist", path=str(path), split="test"), None).classes == ("apple", "bear")
    path = listing(tmp_path, "cifar10/fractals.txt", ["fractals/images/0.png", "fractals/images/1.png"])
    assert dataset["imglist"](path, "test").classes == ("images",)


@pytest.mark.parametrize("images", ["images_classic", "images_largescale"])
def test_images_are_found_as_openood_lays_them_out(images: str, tmp_path: Path) -> None:
    path = listing(tmp_path, "imagenet/test_ninco.txt", ["ninco/a/0.png -1", "ninco/b/1.png -1"], images)
    assert dataset["imglist"](path, "test").ids == ("ninco/a/0.png", "ninco/b/1.png")
    path.rename(tmp_path / "mine.txt")
    with pytest.raises(MissingFiles, match=r"mine\.txt: the first listed image, ninco/a/0\.png, is in none of .*params\.images"):
        dataset["imglist"](tmp_path / "mine.txt", "test")
    assert len(dataset["imglist"](tmp_path / "mine.txt", "test", images=str(tmp_path / images))) == 2


def test_listed_images_that_are_missing_or_broken_are_left_out_by_kind(tmp_path: Path) -> None:
    path = listing(tmp_path, "cifar10/test_mnist.txt", [f"mnist/{number}.png -1" for number in range(5)])
    (tmp_path / "images_classic" / "mnist" / "0.png").unlink()
    (tmp_path / "images_classic" / "mnist" / "3.png").write_bytes(b"")
    images = dataset["imglist"](path, "test")
    assert images.ids == ("mnist/1.png", "mnist/2.png", "mnist/4.png")
    assert counted(images.skipped) == {"unreadable": 1, "listed, not there": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "lists no image"),
        ("../secret.png 0\n", "leads out"),
        ("/etc/passwd -1\n", "leads out"),
        ("a.png 0\n", "in none of"),
        (f"a.png {9 * '9'}\n", "at most 1,000,000"),
        (f"a.png {5000 * '9'}\n", "at most"),
    ],
)
def test_lists_that_cannot_be_used(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(content)
    with pytest.raises(BadInput, match=said):
        check_source(Source(dataset="imglist", path=str(path), split="test"), None)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not a readable UTF-8 text"):
        dataset["imglist"](path, "test")
    with pytest.raises(MissingFiles, match="needs a list file"):
        check_source(Source(dataset="imglist", path=str(tmp_path / "nowhere.txt"), split="test"), None)


def test_the_key_of_a_list_is_of_the_images_that_it_names(tmp_path: Path) -> None:
    path = listing(tmp_path, "cifar10/test_tin.txt", ["tin/val/images/val_0.png -1"])
    source = Source(dataset="imglist", path=str(path), split="test")
    before = fingerprint(source, None)
    photo(tmp_path / "images_classic" / "tin" / "val" / "images" / "val_1.png", 7)
    assert fingerprint(source, None) == before
    photo(tmp_path / "images_classic" / "tin" / "val" / "images" / "val_0.png", 8)
    assert fingerprint(source, None) != before


def test_the_protocols_are_openoods() -> None:
    told = {name: ({*each.near}, {*each.far}, {*each.shifted}, each.val_ood.file, each.classes) for name, each in PROTOCOLS.items()}
    far = {"mnist", "svhn", "texture", "places365"}
    assert told == {
        "cifar10": ({"cifar100", "tin"}, far, {"cifar10c"}, "cifar10/val_tin.txt", 10),
        "cifar100": ({"cifar10", "tin"}, far, set(), "cifar100/val_tin.txt", 100),
        "imagenet200": (
            {"ssb_hard", "ninco"},
            {"inaturalist", "textures", "openimage_o"},
            {"imagenet_v2", "imagenet_c", "imagenet_r"},
            "imagenet200/val_openimage_o.txt",
            200,
        ),
    }
    assert PROTOCOLS["cifar100"].near["tin"].file == "cifar100/test_tin.txt"
    assert PROTOCOLS["imagenet200"].far["textures"].images == "images_classic"
    assert PROTOCOLS["imagenet200"].shifted["imagenet_c"].file == "imagenet200/test_imagenet200_c.txt"


def test_a_protocol_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    listing(tmp_path, "cifar10/test_cifar10.txt", ["cifar10/test/cat/0.png 3", "cifar10/test/dog/1.png 5"])
    listing(tmp_path, "cifar10/test_tin.txt", ["tin/val/images/val_0.png -1"])
    unpacked = listing(tmp_path, "cifar10/test_svhn.txt", ["svhn/test/0.png -1"])
    (tmp_path / "images_classic" / "svhn" / "test" / "0.png").unlink()
    (tmp_path / "benchmark_imglist" / "cifar10" / "test_mnist.txt").write_text("../0.png -1\n")
    found = {each.source.name: each for each in members("cifar10", tmp_path)}
    assert [name for name, each in found.items() if not each.missing] == ["cifar10-test", "tin"]
    assert {each.role for each in found.values()} == {"id-train", "id-val", "id-test", "val-ood", "near", "far", "shifted"}
    assert load(found["tin"].source, None).ids == ("tin/val/images/val_0.png",)
    assert (found["tin"].role, found["svhn"].role, found["cifar10c"].role) == ("near", "far", "shifted")
    root = tmp_path / "images_classic"
    assert f"svhn needs the images in {root / 'svhn'} (svhn.zip, 0.02 GB), had by" in found["svhn"].missing
    assert str(unpacked) not in found["svhn"].missing
    assert f"test_cifar100.txt (in benchmark_imglist.zip, 28 MB) and the images in {root / 'cifar100'}" in found["cifar100"].missing
    assert "leads out of the images' folder" in found["mnist"].missing
    with pytest.raises(BadConfig, match=r"no protocol 'cifar'.*cifar10, cifar100, imagenet200"):
        members("cifar", tmp_path)
