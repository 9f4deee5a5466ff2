"""Sources, limits, validation splits."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from badood.config import NamedSource, Source, load_config, preset_names
from badood.core.errors import BadConfig, BadInput
from badood.data import dataset
from badood.data.fingerprint import fingerprint
from badood.data.record import ImageSet, Skipped, bounded, concatenate, counted, from_array
from badood.data.splits import aligned, check_source, load, load_optional, split_validation


def numbered(labels: list[int], name: str = "set") -> ImageSet:
    """Images whose first pixel is their row."""
    pixels = np.zeros((len(labels), 2, 2, 3), dtype=np.uint8)
    pixels[:, 0, 0, 0] = np.arange(len(labels))
    return from_array(name, pixels, np.array(labels), tuple("abcde"))


@given(st.lists(st.integers(0, 4), min_size=4, max_size=80), st.floats(0.01, 0.89), st.integers(0, 9))
def test_validation_is_a_stratified_partition(labels: list[int], share: float, seed: int) -> None:
    labels = [*labels, 0, 0, 1, 1, *sorted(set(labels))]
    images = numbered(labels)
    train, held = split_validation(images, share, seed)
    assert sorted(train.ids + held.ids) == sorted(images.ids)
    for label in set(labels):
        total, kept = labels.count(label), int((held.labels == label).sum())
        assert 1 <= kept < total
        assert abs(kept - share * total) <= 1
    again = split_validation(images, share, seed)
    assert again[1].ids == held.ids


def test_another_seed_gives_another_split() -> None:
    images = numbered([0, 1] * 40)
    assert split_validation(images, 0.5, 0)[1].ids != split_validation(images, 0.5, 1)[1].ids


def test_classes_too_small_to_split_are_named() -> None:
    with pytest.raises(BadInput, match=r"class 'c' has one usable image \(set/4\)"):
        split_validation(numbered([0, 0, 1, 1, 2]), 0.1, 0)
    with pytest.raises(BadInput, match="at least two classes"):
        split_validation(numbered([0, 0, 0]), 0.1, 0)


@given(st.integers(1, 200))
def test_limit_is_even_over_classes(limit: int) -> None:
    whole = Source(dataset="miniworld", params={"count": 120})
    images = load(whole.model_copy(update={"limit": limit}), None)
    assert len(images) == min(limit, 120)
    counts = np.bincount(images.labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    assert len(set(images.ids)) == len(images)


def test_reads_follow_the_rows_through_takes_and_joins() -> None:
    joined = concatenate("both", [numbered([0, 1, 2], "one").take(np.array([2, 0])), numbered([0, 0, 1], "two")])
    assert [int(joined.read(row)[0, 0, 0]) for row in range(5)] == [2, 0, 0, 1, 2]
    assert joined.classes == ("one", "two")
    assert joined.labels.tolist() == [0, 0, 1, 1, 1]
    assert joined.take(np.array([4, 1])).pixels(2)[:, 0, 0, 0].tolist() == [2, 0]


def test_an_optional_source_without_files_is_left_out_with_a_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing = NamedSource(name="absent", dataset="folder", path="not/here", optional=True)
    there = NamedSource(name="waves", dataset="textures", params={"count": 2, "size": 8})
    (found,) = load_optional([missing, there], tmp_path)
    assert found.name == "waves"
    assert "absent is left out" in caplog.text
    with pytest.raises(BadInput, match="not/here"):
        load_optional([missing.model_copy(update={"optional": False})], tmp_path)


def test_two_sources_of_one_name_are_told(tmp_path: Path) -> None:
    sources = [NamedSource(name="caf\u00e9", dataset="folder", path=path, optional=True) for path in ("first/images", "second/images")]
    with pytest.raises(BadInput, match=r"two sources are called .*: first/images and second/images"):
        load_optional(sources, tmp_path)
    again = sources[1].model_copy(update={"name": unicodedata.normalize("NFD", "caf\u00e9")})
    with pytest.raises(BadInput, match="first/images and second/images"):
        load_optional([sources[0], again], tmp_path)
    rendered = [NamedSource(name="waves", dataset="textures", params={"count": count, "size": 8}) for count in (1, 2)]
    with pytest.raises(BadInput, match=r"called 'waves': textures {'count': 1, .* and textures {'count': 2"):
        load_optional(rendered, None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source(dataset="minworld"), "did you mean miniworld"),
        (
            Source(dataset="textures", params={"count": 2, "colour": "red"}),
            "does not take params colour = 'red'; its parameters: count, seed, size",
        ),
        (Source(dataset="textures"), "needs params count; its parameters: count, seed, size"),
        (Source(dataset="textures", params={"count": "many"}), "params count = 'many': Input should be a valid integer"),
        (Source(dataset="miniworld", params={"count": 2, "factors": "blur"}), "params factors = 'blur'"),
        (Source(dataset="cifar100", params={"half": "third"}), "params half = 'third'"),
        (Source(dataset="folder", path=".", params={"path": "x"}), "does not take params path"),
        (Source(dataset="folder", path=".", params={"split": "x"}), "does not take params split"),
    ],
)
def test_wrong_settings_of_a_source_are_told_without_reading(source: Source, message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        check_source(source, None)
    with pytest.raises(BadConfig, match=message):
        load(source, None)


@pytest.mark.parametrize("name", ["folder", "parquet", "synis"])
def test_a_path_that_is_needed_has_to_be_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=f"'{name}' needs a path"):
        check_source(Source(dataset=name), tmp_path)
    with pytest.raises(BadInput, match="not/here does not exist"):
        check_source(Source(dataset=name, path="not/here"), tmp_path)
    with pytest.raises(BadInput, match="name is not UTF-8"):
        check_source(Source(dataset=name, path=str(tmp_path / "caf\udce9")), None)
    check_source(Source(dataset=name, path="."), tmp_path)


def test_presets_pass_the_check() -> None:
    for name in preset_names():
        cfg = load_config(name)
        for source in (cfg.data.train, cfg.data.test, *cfg.data.auxiliary, *cfg.data.ood, *filter(None, [cfg.data.grid])):
            if source.path is None and source.dataset not in ("folder", "parquet"):
                check_source(source, None)


def test_what_a_reader_of_another_package_raises_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path | None, split: str) -> ImageSet:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.setitem(dataset._entries, "broken", broken)
    with pytest.raises(BadInput, match="x cannot be read as 'broken'"):
        load(Source(dataset="broken", path="x"), None)


def set_of(labels: list[str], classes: tuple[str, ...]) -> ImageSet:
    return from_array("test", np.zeros((len(labels), 2, 2, 3), np.uint8), np.array([classes.index(label) for label in labels]), classes)


@given(st.permutations("abcdé"), st.data())
def test_labels_of_a_test_set_become_positions_in_training_by_name(classes: list[str], data: st.DataObject) -> None:
    own = data.draw(st.lists(st.sampled_from(classes), min_size=1, max_size=5, unique=True))
    labels = data.draw(st.lists(st.sampled_from(own), min_size=1, max_size=12))
    test = set_of(labels, tuple(own))
    decomposed = tuple(unicodedata.normalize("NFD", name) for name in classes)
    found = aligned(test, decomposed, "train")
    assert found.classes == decomposed
    assert [classes[label] for label in found.labels] == labels
    assert found.ids == test.ids


def test_a_set_with_the_same_classes_is_untouched() -> None:
    test = set_of(["a", "b"], ("a", "b"))
    assert aligned(test, ("a", "b"), "train") is test


def test_classes_of_one_name_keep_their_order() -> None:
    test = from_array("test", np.zeros((3, 2, 2, 3), np.uint8), np.array([0, 1, 2]), ("crane", "ant", "crane"))
    assert aligned(test, ("ant", "crane", "crane"), "train").labels.tolist() == [1, 0, 2]


def test_classes_that_training_does_not_know_are_told() -> None:
    with pytest.raises(BadInput, match="test: training does not know the class 'c'; train has a, b"):
        aligned(set_of(["a", "c"], ("a", "c")), ("a", "b"), "train")
    with pytest.raises(BadInput, match="test has images without labels, but train has the classes a, b"):
        aligned(set_of(["unlabelled"], ("unlabelled",)), ("a", "b"), "train")
    assert aligned(set_of(["a"], ("a", "never seen")), ("a", "b"), "train").labels.tolist() == [0]


def save(file: Path, value: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, 0, 0)).save(file)


def test_a_test_folder_that_lacks_a_class_keeps_the_numbers_of_training(tmp_path: Path) -> None:
    for split, classes in (("train", "abc"), ("test", "ac")):
        for name in classes:
            save(tmp_path / split / name / "0.png")
    train, test = (load(Source(dataset="folder", path=str(tmp_path), split=split), None) for split in ("train", "test"))
    assert aligned(test, train.classes, train.name).labels.tolist() == [0, 2]


def _rewritten(file: Path) -> None:
    status = file.stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda folder: save(folder / "b" / "1.png"),
    "removed": lambda folder: (folder / "a" / "0.png").unlink(),
    "renamed": lambda folder: (folder / "a" / "0.png").rename(folder / "a" / "9.png"),
    "moved to another class": lambda folder: (folder / "a" / "0.png").rename(folder / "b" / "9.png"),
    "written in place": lambda folder: _rewritten(folder / "a" / "0.png"),
    "grown": lambda folder: (folder / "a" / "0.png").write_bytes(bytes(5000)),
    "written behind a link": lambda folder: _rewritten(folder.parent / "linked" / "0.png"),
    "added behind a link": lambda folder: save(folder.parent / "linked" / "deep" / "1.png"),
    "not UTF-8": lambda folder: save(folder / "a" / "caf\udce9.png"),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_the_key_of_a_folder_changes_with_its_files(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "set"
    for name in ("a", "b"):
        save(folder / name / "0.png")
    save(tmp_path / "linked" / "0.png")
    (folder / "a" / "link").symlink_to(tmp_path / "linked")
    (folder / "a" / "loop").symlink_to(folder)
    source = Source(dataset="folder", path=str(folder))
    before = fingerprint(source, None)
    assert before == fingerprint(source, None) == fingerprint(source.model_copy(update={"path": "set"}), tmp_path)
    assert len(before) == 32
    CHANGES[change](folder)
    assert fingerprint(source, None) != before


def test_the_key_stays_where_nothing_changes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "set" / name / "0.png")
    before = fingerprint(Source(dataset="folder", path=str(tmp_path / "set")), None)
    (tmp_path / "set" / ".DS_Store").touch()
    (tmp_path / "set").rename(tmp_path / "moved")
    assert fingerprint(Source(dataset="folder", path=str(tmp_path / "moved")), None) == before
    shutil.copytree(tmp_path / "moved", tmp_path / "copied")
    assert fingerprint(Source(dataset="folder", path=str(tmp_path / "copied")), None) == before


def test_what_reads_no_file_has_no_key(tmp_path: Path) -> None:
    assert fingerprint(Source(dataset="textures", params={"count": 2}), tmp_path) == ""
    assert fingerprint(Source(dataset="folder", path="gone"), tmp_path) == ""


def test_files_that_parameters_or_rows_name_are_in_the_key(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    save(tmp_path / "images" / "0.png")
    source = Source(dataset="synis", path=str(tmp_path / "lists"), params={"images": str(tmp_path / "images")})
    before = fingerprint(source, None)
    _rewritten(tmp_path / "images" / "0.png")
    assert fingerprint(source, None) != before

    for number, column in enumerate(
        (["images/0.png", "../out.png"], [{"bytes": None, "path": "images/0.png"}, {"bytes": b"x", "path": "gone.png"}])
    ):
        pq.write_table(pa.table({"image": column}), tmp_path / f"{number}.parquet")
        source = Source(dataset="parquet", path=f"{number}.parquet")
        before = fingerprint(source, tmp_path)
        _rewritten(tmp_path / "images" / "0.png")
        assert fingerprint(source, tmp_path) != before


def test_many_faults_are_bounded_and_counted() -> None:
    faults = [Skipped(f"{number}.png", "broken") for number in range(5000)] + [Skipped("a", "b", 7, "hidden")]
    kept = bounded(faults)
    assert len(kept) == 1001
    assert counted(kept) == counted(faults) == {"unreadable": 5000, "hidden": 7}
