"""Folders of images, SynIS lists."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.named_splits import part_of_folder
from badood.data.record import counted, distinct, shown


def save(file: Path, value: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (value, 0, 0)).save(file)


def test_a_class_for_each_subfolder(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "train" / "dog" / f"{number}.png", number)
        save(tmp_path / "train" / "cat" / "deep" / f"{number}.JPG", number)
        save(tmp_path / "val" / "cat" / f"{number}.png")
    (tmp_path / "train" / ".hidden").mkdir()
    (tmp_path / "train" / "dog" / "notes.txt").write_text("no image")
    images = dataset["folder"](tmp_path, "train")
    assert images.classes == ("cat", "dog")
    assert np.bincount(images.labels).tolist() == [5, 5]
    assert images.ids[-1] == "dog/4.png"
    assert images.read(9).shape == (6, 8, 3)
    assert images.pixels(4).shape == (10, 3, 4, 4)
    assert dataset["folder"](tmp_path, "test").classes == ("cat",)


def test_an_undivided_folder_is_divided_by_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(10):
            save(tmp_path / name / f"{number}.png")
    train, test = dataset["folder"](tmp_path, "train"), dataset["folder"](tmp_path, "test")
    assert np.bincount(train.labels).tolist() == [8, 8]
    assert not set(train.ids) & set(test.ids)
    assert len(dataset["folder"](tmp_path, "test", holdout=0)) == 20


def test_a_flat_folder_is_one_unlabelled_class(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png")
    assert dataset["folder"](tmp_path, "test", holdout=0).classes == ("unlabelled",)


def test_bad_files_are_left_out_with_a_reason(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "0.png", 7)
    save(tmp_path / "cat" / "2.png", 9)
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    images = dataset["folder"](tmp_path, "train", holdout=0)
    assert images.ids == ("cat/0.png", "cat/2.png")
    assert images.read(1)[0, 0, 0] == 9
    (fault,) = images.skipped
    assert "cat/1.png is empty" in fault.reason


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a folder"):
        dataset["folder"](tmp_path / "nowhere", "train")
    with pytest.raises(BadInput, match="holds no image file"):
        dataset["folder"](tmp_path, "train")
    save(tmp_path / "cat" / "0.png")
    with pytest.raises(BadInput, match=r"'cat' has one usable image \(cat/0.png\)"):
        dataset["folder"](tmp_path, "train")
    (tmp_path / "cat" / "0.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"no readable image among 1; the first: .*cat/0\.png"):
        dataset["folder"](tmp_path, "train")


@pytest.mark.parametrize(
    "names", [("Train", "Test"), ("training", "VAL"), ("TRAIN", "dev"), ("training_set", "test_set"), ("Train", "Testing")]
)
def test_split_folders_are_known_in_any_case_and_by_their_synonyms(tmp_path: Path, names: tuple[str, str]) -> None:
    for split, name in zip(("train", "test"), names, strict=True):
        for kind in "ab":
            save(tmp_path / name / kind / f"{split}.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / ".git" / "train").mkdir(parents=True)
    for split in ("train", "test"):
        images = dataset["folder"](tmp_path, split)
        assert images.classes == ("a", "b")
        assert images.ids == (f"a/{split}.png", f"b/{split}.png")
        assert counted(images.skipped) == {"folder without images": 1, "hidden": 1}


@pytest.mark.parametrize("names", [("control", "test"), ("control", "train"), ("dev", "valid", "other"), ("exam", "Testing")])
def test_a_class_may_be_called_like_a_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        for number in range(4):
            save(tmp_path / name / f"{number}.png")
    assert dataset["folder"](tmp_path, "test", holdout=0).classes == tuple(sorted(names))
    assert len(dataset["folder"](tmp_path, "train", holdout=0)) == 4 * len(names)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["train", "Test", "dev", "eval", "valid"]), max_size=3, unique=True),
    st.lists(st.text(st.characters(categories=["L", "N", "Cs"]), min_size=1, max_size=6), min_size=1, max_size=4, unique=True),
)
def test_folders_of_any_names_are_classes_where_one_is_no_split(
    tmp_path_factory: pytest.TempPathFactory, splits: list[str], others: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    names = []
    for name in [*splits, *(other for other in others if part_of_folder(other) is None and other not in splits)]:
        try:
            save(folder / name / "0.png")
        except UnicodeEncodeError:  # no file system takes it
            continue
        names.append(name)
    assume(len(set(names) - set(splits)) > 0)
    images = dataset["folder"](folder, "train", holdout=0)
    assert images.classes == distinct(sorted(names))
    assert len(images) == len(names)


def test_split_names_that_are_classes_because_of_another_folder_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("train", "test", "extra"):
        save(tmp_path / name / "a" / "0.png")
    assert dataset["folder"](tmp_path, "test", holdout=0).classes == ("extra", "test", "train")
    assert "test and train are read as classes, because extra lies beside them" in caplog.text


def test_a_missing_or_doubtful_split_is_told(tmp_path: Path) -> None:
    save(tmp_path / "Training" / "a" / "0.png")
    with pytest.raises(BadInput, match="has Training but no test folder with images"):
        dataset["folder"](tmp_path, "test")
    save(tmp_path / "train" / "a" / "0.png")
    with pytest.raises(BadInput, match="two folders for train, Training and train"):
        dataset["folder"](tmp_path, "train")


@pytest.mark.parametrize("around", ["photos", "photos/photos", "a/b/c"])
def test_a_single_folder_around_all_is_looked_through(tmp_path: Path, around: str) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            save(tmp_path / around / name / f"{number}.png")
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "__MACOSX").mkdir()
    images = dataset["folder"](tmp_path, "test", holdout=0)
    assert images.classes == ("cat", "dog")
    assert len(images) == 6
    assert counted(images.skipped) == {"hidden": 1, "no image file": 1}


def test_a_single_folder_around_splits_is_looked_through(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save(tmp_path / "set" / split / "cat" / "0.png")
    assert dataset["folder"](tmp_path, "train").ids == ("cat/0.png",)


def test_a_single_class_stays_a_class(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "0.png")
    save(tmp_path / "cat" / "indoors" / "1.png")
    assert dataset["folder"](tmp_path, "test", holdout=0).classes == ("cat",)


def test_folders_without_images_are_passed_over_and_counted(tmp_path: Path) -> None:
    for name in ("a", "c"):
        save(tmp_path / name / "0.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.json").write_text("{}")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "broken.png").write_bytes(b"")
    (tmp_path / "@eaDir" / "0.png").mkdir(parents=True)
    save(tmp_path / "cover.png")
    images = dataset["folder"](tmp_path, "test", holdout=0)
    assert images.classes == ("a", "c")
    assert images.labels.tolist() == [0, 1]
    assert counted(images.skipped) == {
        "unreadable": 1,
        "hidden": 1,
        "no image file": 1,
        "folder without images": 2,
        "beside the classes": 1,
    }


def test_masses_of_other_files_are_one_entry(tmp_path: Path) -> None:
    save(tmp_path / "a" / "0.png")
    for number in range(2000):
        (tmp_path / "a" / f"{number}.txt").touch()
        (tmp_path / "a" / f"{number}.Json").touch()
    images = dataset["folder"](tmp_path, "test", holdout=0)
    assert sorted(entry.count for entry in images.skipped) == [2000, 2000]
    assert "1,999 more" in images.skipped[0].reason


def test_links_are_followed_alike_at_every_depth_and_loops_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "set" / name / "0.png")
    save(tmp_path / "elsewhere" / "deep" / "1.png")
    (tmp_path / "set" / "a" / "more").symlink_to(tmp_path / "set" / "b")
    (tmp_path / "set" / "b" / "deep").mkdir()
    (tmp_path / "set" / "b" / "deep" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deep" / "up").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "a" / "loop").symlink_to(tmp_path / "set" / "a")
    (tmp_path / "set" / "a" / "root").symlink_to(tmp_path)
    (tmp_path / "set" / "a" / "itself.png").symlink_to("itself.png")
    (tmp_path / "set" / "b" / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "set" / "c").symlink_to(tmp_path / "elsewhere")
    images = dataset["folder"](tmp_path / "set", "test", holdout=0)
    assert images.classes == ("a", "b", "c")
    assert images.ids == ("a/0.png", "a/more/0.png", "a/more/deep/link/deep/1.png", "b/0.png", "b/deep/link/deep/1.png", "c/deep/1.png")
    assert counted(images.skipped) == {"broken link": 3, "link met before": 5}


def test_the_usual_suffixes_of_jpeg_are_read(tmp_path: Path) -> None:
    for suffix in ("jfif", "jpe", "JPEG", "pjpeg"):
        save(tmp_path / "a" / "0.jpg")
        (tmp_path / "a" / "0.jpg").rename(tmp_path / "a" / f"1.{suffix}")
    assert len(dataset["folder"](tmp_path, "test", holdout=0)) == 4


def test_names_that_are_not_utf8_are_shown_with_replacement_characters(tmp_path: Path) -> None:
    for name in ("caf\udce9", "caf\udce8", "tea"):
        save(tmp_path / name / "0.png", 7)
        save(tmp_path / name / "\udcff.png", 8)
        (tmp_path / name / "\udcfe.png").write_bytes(b"broken")
    images = dataset["folder"](tmp_path, "test", holdout=0)
    assert images.classes == ("caf\ufffd", "caf\ufffd (2)", "tea")
    assert len(set(images.ids)) == len(images) == 6
    assert [int(images.read(row)[0, 0, 0]) for row in range(6)] == [7, 8] * 3
    "".join([*images.classes, *images.ids, *(entry.path + entry.reason for entry in images.skipped)]).encode()


@given(st.lists(st.text(st.characters(categories=["L", "N", "Cs"]), max_size=3), max_size=8))
def test_distinct_names_are_distinct_text(names: list[str]) -> None:
    found = distinct(names)
    assert len(set(found)) == len(found) == len(names)
    "".join(found).encode()
    if len(set(names)) == len(names) and all(name == shown(name) for name in names):
        assert found == tuple(names)


@pytest.mark.parametrize("first", [0, 1])
def test_synis_lists_give_the_levels(tmp_path: Path, first: int) -> None:
    lists = tmp_path / "data" / "imglist" / "SynIS"
    lists.mkdir(parents=True)
    for covariate in range(8):
        for semantic in range(8):
            cell = f"cov_{covariate + first}_sem_{semantic + first}"
            save(tmp_path / "data" / "SynIS" / cell / "1_2_3.png", 10 * semantic + covariate)
            (lists / f"{cell}.txt").write_text(f"./{cell}/1_2_3.png\n")
    images = dataset["synis"](lists, "test", images=str(tmp_path / "data" / "SynIS"))
    assert len(images) == 64
    values = np.array([images.read(row)[0, 0, 0] for row in range(64)])
    np.testing.assert_array_equal(values, 10 * images.levels["semantic"] + images.levels["covariate"])
    assert images.take(np.array([63])).levels["semantic"].tolist() == [7]


def test_synis_finds_the_images_where_the_benchmark_puts_them(tmp_path: Path) -> None:
    lists = tmp_path / "data" / "imglist" / "SynIS"
    lists.mkdir(parents=True)
    (lists / "cov_0_sem_0.txt").write_text("./cov_0_sem_0/a.png\n")
    with pytest.raises(BadInput, match=r"a\.png, is in none of"):
        dataset["synis"](lists, "test")
    save(tmp_path / "data" / "SynIS" / "cov_0_sem_0" / "a.png")
    assert len(dataset["synis"](lists, "test")) == 1


def test_a_synis_list_that_names_nothing_is_a_cell_without_images(tmp_path: Path) -> None:
    # as published for ImageNet-21K
    for cell, images in (("cov_5_sem_0", 2), ("cov_6_sem_0", 0), ("cov_7_sem_1", 0), ("cov_7_sem_2", 1)):
        lines = [f"./imagenet21k_val/n0/{cell}_{number}.png\n" for number in range(images)]
        (tmp_path / f"{cell}.txt").write_text("".join(lines))
        for line in lines:
            save(tmp_path / line.strip())
    (tmp_path / "cov_0_sem_0.txt").write_text("")
    found = dataset["synis"](tmp_path, "test")
    assert found.classes == ("cov_5_sem_0", "cov_7_sem_2")
    assert list(zip(found.levels["semantic"], found.levels["covariate"], strict=True)) == [(0, 5), (0, 5), (2, 7)]
    (told,) = found.skipped
    assert (told.kind, told.count) == ("cell without images", 3)
    for file in tmp_path.glob("*.txt"):
        file.write_text("\n")
    with pytest.raises(BadInput, match="none of its 5 cells lists an image"):
        dataset["synis"](tmp_path, "test")


def test_synis_joins_the_lists_of_train_and_val(tmp_path: Path) -> None:
    lists = tmp_path / "data" / "imglist" / "imagenet21k"
    for part, images in (("train", ["a", "b"]), ("val", ["c"])):
        (lists / part).mkdir(parents=True)
        (lists / part / "cov_2_sem_1.txt").write_text("".join(f"./{part}/{name}.png\n" for name in images))
        for name in images:
            save(tmp_path / "data" / "imagenet21k" / part / f"{name}.png")
    (lists / "val" / "cov_0_sem_0.txt").write_text("")
    found = dataset["synis"](lists, "test")
    assert found.ids == ("train/a.png", "train/b.png", "val/c.png")
    assert set(found.levels["covariate"]) == {2}


@pytest.mark.parametrize("line", ["/etc/passwd.png", "../out.png"])
def test_synis_lists_that_lead_elsewhere_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "cov_0_sem_0.txt").write_text(f"{line}\n")
    with pytest.raises(BadInput, match="leads out of the images' folder"):
        dataset["synis"](tmp_path, "test")
    (tmp_path / "cov_0_sem_0.txt").write_bytes(b"caf\xe9.png\n")
    with pytest.raises(BadInput, match=r"cov_0_sem_0\.txt is not a readable UTF-8 text"):
        dataset["synis"](tmp_path, "test")


def test_a_synis_cell_without_a_readable_image_is_told(tmp_path: Path) -> None:
    for cell in ("cov_0_sem_0", "cov_0_sem_1"):
        save(tmp_path / cell / "a.png")
        (tmp_path / f"{cell}.txt").write_text(f"./{cell}/a.png\n")
    (tmp_path / "cov_0_sem_1" / "a.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"cell cov_0_sem_1 has no readable image.*is empty"):
        dataset["synis"](tmp_path, "test")
