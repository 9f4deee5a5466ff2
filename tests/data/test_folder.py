"""Folders of images, SynIS lists."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from badood.core.errors import BadInput
from badood.data import dataset


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
    (tmp_path / "dog").mkdir()
    with pytest.raises(BadInput, match="'dog' has no readable image"):
        dataset["folder"](tmp_path, "train")
    (tmp_path / "test").mkdir()
    with pytest.raises(BadInput, match="has test but no train folder"):
        dataset["folder"](tmp_path, "train")


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
