"""Published OOD sets, from tiny stand-ins in the layouts that they are published in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badood.config import NamedSource, Source
from badood.core.errors import BadConfig, BadInput, MissingFiles
from badood.data import dataset, files
from badood.data.fingerprint import fingerprint
from badood.data.published import Published, states
from badood.data.record import counted
from badood.data.splits import check_source, load, load_optional, missing
from tests.data.published import LAYOUTS, PARAMS, classes, flat, photo, source_of, svhn

PUBLISHED = sorted(name for name, entry in files.items() if isinstance(entry, Published))


@pytest.mark.parametrize(("name", "layout"), [(name, layout) for name in LAYOUTS for layout in range(len(LAYOUTS[name]))])
def test_a_set_is_found_in_each_of_its_layouts_and_by_every_path_into_it(name: str, layout: int, tmp_path: Path) -> None:
    source = source_of(name, tmp_path / "data", layout)
    check_source(source, None)
    images = load(source, None)
    assert len(images) >= 3
    seen = [images.read(row) for row in range(len(images))]
    assert len({pixels.tobytes() for pixels in seen}) == len(images)
    assert {(pixels.ndim, pixels.shape[2], pixels.dtype) for pixels in seen} == {(3, 3, np.dtype(np.uint8))}
    entry = files[name]
    place = Path(entry(Path(str(source.path)), "test", **source.params)[0])
    for path in [place, *place.parents]:
        if not path.is_relative_to(tmp_path / "data"):
            break
        assert load(source.model_copy(update={"path": str(path)}), None).ids == images.ids
    (state,) = [each for each in states(tmp_path / "data") if each.name == name]
    assert (state.works, state.place, state.needs) == (True, place, "")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_set_that_is_missing_is_refused_with_all_that_is_needed_to_get_it(name: str, tmp_path: Path) -> None:
    photo(tmp_path / "images" / "0.jpg", 0)  # not a layout of any set
    source = Source(dataset=name, path=str(tmp_path), split="test", params=PARAMS.get(name, {}))
    with pytest.raises(MissingFiles) as told:
        check_source(source, None)
    message = str(told.value)
    assert f"the data set '{name}' needs files, but {tmp_path} has no such files" in message
    assert "https://" in message or "http://" in message
    assert " images, " in message
    assert "Nothing is fetched" in message
    assert "\n" not in message
    assert missing(source, None) == message
    assert fingerprint(source, None) == fingerprint(source, None)
    with pytest.raises(MissingFiles, match="does not exist"):
        check_source(source.model_copy(update={"path": str(tmp_path / "nowhere")}), None)
    with pytest.raises(MissingFiles, match="no path is given"):
        check_source(source.model_copy(update={"path": None}), None)
    (state,) = [each for each in states(tmp_path) if each.name == name]
    assert not state.works
    assert state.needs


def test_a_set_that_is_optional_and_missing_is_left_out_with_the_same_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "NINCO" / "NINCO_OOD_classes").mkdir(parents=True)  # made, but nothing unpacked
    flat("SUN/images", ".jpg")(tmp_path)
    sources = [
        NamedSource(name="ninco", dataset="ninco", path=str(tmp_path), split="test", optional=True),
        NamedSource(name="scenes", dataset="sun", path=str(tmp_path), split="test", optional=True),
    ]
    assert [each.name for each in load_optional(sources, None)] == ["scenes"]
    assert "ninco is left out: the data set 'ninco' needs files" in caplog.text
    assert "4 images of the 10,000 that were published" in caplog.text


@pytest.mark.parametrize(
    "params", [{"corruption": "fog"}, {"corruption": "fog", "severity": 5, "conut": 3}, {"corruption": "rain", "severity": 5}]
)
def test_a_wrong_parameter_of_an_optional_set_is_an_error_and_no_missing_file(params: dict[str, Any], tmp_path: Path) -> None:
    source = NamedSource(name="fog", dataset="imagenet-c", path=str(tmp_path), split="test", optional=True, params=params)
    with pytest.raises(BadConfig, match="'imagenet-c'"):
        load_optional([source], None)


def test_the_listing_has_every_published_set_once() -> None:
    listed = states(Path("/nowhere"))
    assert [each.name for each in listed] == PUBLISHED
    assert set(PUBLISHED) == {*LAYOUTS, "svhn"}
    assert set(files) <= set(dataset)
    assert not any(each.works for each in listed)
    assert all(each.what.endswith(".") and "Source: " in each.what for each in listed)


def test_two_sets_of_one_folder_are_not_taken_for_one_another(tmp_path: Path) -> None:
    flat("SUN/images", ".jpg")(tmp_path)
    with pytest.raises(MissingFiles, match="Places/images"):
        check_source(Source(dataset="places", path=str(tmp_path), split="test"), None)
    with pytest.raises(MissingFiles, match="Places/images"):
        check_source(Source(dataset="places", path=str(tmp_path / "SUN" / "images"), split="test"), None)


def test_classes_are_those_of_the_folders(tmp_path: Path) -> None:
    images = load(source_of("ninco", tmp_path), None)
    assert images.classes == ("Caracal caracal caracal", "amphiuma_means")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert load(source_of("inaturalist", tmp_path), None).classes == ("unlabelled",)


def test_numbered_folders_of_imagenet_v2_are_called_as_imagenets_classes(tmp_path: Path) -> None:
    images = load(source_of("imagenet-v2", tmp_path), None)
    assert images.classes == ("n01440764", "n01530575", "n01484850")  # tench, brambling, great white shark: folders 0, 10, 2
    photo(tmp_path / "imagenetv2-matched-frequency-format-val" / "1000" / "0.jpeg", 1)
    with pytest.raises(BadInput, match="folder '1000'; expected one for each class, called 0 to 999"):
        dataset["imagenet-v2"](tmp_path, "test")


def test_imagenet_c_is_one_corruption_at_one_severity(tmp_path: Path) -> None:
    source = source_of("imagenet-c", tmp_path)
    with pytest.raises(MissingFiles, match="frost/5"):
        check_source(source.model_copy(update={"params": {"corruption": "frost", "severity": 5}}), None)
    with pytest.raises(BadConfig, match="needs params severity"):
        check_source(source.model_copy(update={"params": {"corruption": "fog"}}), None)
    with pytest.raises(BadConfig, match=r"corruption = 'rain'.*'fog'"):
        check_source(source.model_copy(update={"params": {"corruption": "rain", "severity": 5}}), None)
    with pytest.raises(BadConfig, match="severity = 6"):
        check_source(source.model_copy(update={"params": {"corruption": "fog", "severity": 6}}), None)


def test_imagenet_ood_is_the_images_that_its_list_names(tmp_path: Path) -> None:
    images = load(source_of("imagenet-ood", tmp_path), None)
    assert images.ids == ("n02925009/0.JPEG", "n02925009/1.JPEG", "n00005787/3.JPEG")
    assert images.classes == ("n02925009", "n00005787")
    (tmp_path / "list").mkdir()
    (tmp_path / "imagenetood.txt").rename(tmp_path / "list" / "imagenetood.txt")
    apart = Source(dataset="imagenet-ood", path=str(tmp_path / "list"), split="test")
    with pytest.raises(MissingFiles, match=r"n02925009/0\.JPEG, is in none of .*params\.images"):
        check_source(apart, None)
    there = apart.model_copy(update={"params": {"images": str(tmp_path)}})
    assert load(there, None).ids == images.ids


def test_tiny_imagenets_validation_images_play_test(tmp_path: Path) -> None:
    test = load(source_of("tinyimagenet", tmp_path), None)
    train = dataset["tinyimagenet"](tmp_path, "train")
    assert test.classes == train.classes == ("n01443537", "n01629819")
    assert test.labels.tolist() == [0, 0, 1, 1]
    assert train.ids[0] == "train/n01443537/images/0.JPEG"
    (tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt").unlink()
    with pytest.raises(BadInput, match=r"is incomplete.*val_annotations.txt"):
        dataset["tinyimagenet"](tmp_path, "test")


def test_grey_digits_of_mnist_become_rgb(tmp_path: Path) -> None:
    test = load(source_of("mnist", tmp_path), None)
    train = dataset["mnist"](tmp_path, "train")
    assert (len(train), len(test)) == (3, 4)
    assert test.labels.tolist() == [0, 1, 2, 3]
    assert test.classes[3] == "3 - three"
    pixels = test.read(2)
    assert pixels.shape == (28, 28, 3)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert pixels[..., 0].tobytes() == (tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte").read_bytes()[16 + 2 * 784 : 16 + 3 * 784]
    assert test.pixels(8).shape == (4, 3, 8, 8)
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(BadInput, match=r"not the four files of MNIST.*t10k-labels"):
        dataset["mnist"](tmp_path, "test")


def test_svhn_is_read_by_split_and_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    svhn(tmp_path / "SVHN", monkeypatch)
    test, train = (load(Source(dataset="svhn", path=str(tmp_path), split=split), None) for split in ("test", "train"))
    assert (len(train), len(test)) == (3, 4)
    assert test.labels.tolist() == [0, 1, 2, 3]  # the file calls the digit 0 by 10
    expected = np.random.default_rng(4).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    np.testing.assert_array_equal(test.read(1), expected[..., 1])
    file = tmp_path / "SVHN" / "test_32x32.mat"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(BadInput, match=r"test_32x32\.mat is not the file that was published.*ufldl"):
        dataset["svhn"](tmp_path, "test")


def test_an_unreadable_image_is_left_out_and_an_empty_class_too(tmp_path: Path) -> None:
    classes("dtd/images", ("banded", "waffled"), ".jpg")(tmp_path)
    (tmp_path / "dtd" / "images" / "banded" / "0.jpg").write_bytes(b"")
    (tmp_path / "dtd" / "images" / "waffled" / ".directory").write_text("hidden, as in the archive")
    (tmp_path / "dtd" / "images" / "woven").mkdir()
    images = dataset["dtd"](tmp_path, "test")
    assert images.ids == ("banded/1.jpg", "waffled/2.jpg", "waffled/3.jpg")
    assert counted(images.skipped) == {"unreadable": 1, "hidden": 1, "folder without images": 1}


def test_the_key_of_a_set_is_of_its_own_files(tmp_path: Path) -> None:
    source = source_of("sun", tmp_path)
    before = fingerprint(source, None)
    flat("Places/images", ".jpg")(tmp_path)
    assert fingerprint(source, None) == before
    photo(tmp_path / "SUN" / "images" / "9.jpg", 9)
    assert fingerprint(source, None) != before
