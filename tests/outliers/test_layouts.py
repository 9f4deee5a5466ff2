"""Every layout, written by the library that people write it with: right pixels, names, classes, columns, order."""

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from badood.outliers.imported import Imported

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def picture(row: int) -> Image.Image:
    return Image.fromarray(PIXELS[row])


def encoded(row: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture(row).save(out, kind)
    return out.getvalue()


def save(file: Path, row: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture(row).save(file)


def same(images: NDArray[np.uint8], rows: list[int]) -> bool:
    return np.array_equal(images, PIXELS[rows].transpose(0, 3, 1, 2))


def test_a_flat_folder_in_the_order_of_numbers(tmp_path: Path, gathered: Any) -> None:
    for row, name in enumerate(["10.png", "9.png", "100.png"]):
        save(tmp_path / name, row)
    (tmp_path / "notes.txt").write_text("no image")
    save(tmp_path / ".hidden.png", 3)
    source = Imported(str(tmp_path))
    found = gathered(source)
    assert source.layout == "a folder of images"
    assert found.columns["file"].tolist() == ["9.png", "10.png", "100.png"]
    assert same(found.images, [1, 0, 2])
    assert found.columns["class_name"].tolist() == ["", "", ""]
    assert found.columns["encoding"].tolist() == ["png"] * 3
    assert {entry.kind for entry in source.skipped()} == {"hidden", "no image file"}


def test_a_folder_for_each_class(tmp_path: Path, gathered: Any) -> None:
    for row, name in enumerate(["dog/1.png", "cat/deep/2.png", "cat/1.png", "loose.png"]):
        save(tmp_path / name, row)
    source = Imported(str(tmp_path))
    found = gathered(source)
    assert "2 classes" in source.layout
    assert dict(zip(found.columns["file"], found.columns["class_name"], strict=True)) == {
        "cat/1.png": "cat",
        "cat/deep/2.png": "cat",
        "dog/1.png": "dog",
        "loose.png": "",
    }


@pytest.mark.parametrize("around", ["", "samples/", "out/samples/"])
def test_dream_ood_numbers_its_classes(tmp_path: Path, gathered: Any, around: str) -> None:
    names = ["0/great white shark_00000.png", "2/goldfish_00010.png", "2/goldfish_00009.png", "10/sea snake_00000.png"]
    for row, name in enumerate(names):
        save(tmp_path / around / name, row)
    np.save(tmp_path / "embeddings.npy", np.zeros((4, 768), np.float32))
    source = Imported(str(tmp_path))
    found = gathered(source)
    assert source.layout == "numbered class folders as Dream-OOD writes them (3 classes)"
    assert same(found.images, [0, 2, 1, 3])
    assert found.columns["class_name"].tolist() == ["great white shark", "goldfish", "goldfish", "sea snake"]
    assert found.columns["file"][3] == f"{around}{names[3]}"


def test_splits_are_no_classes_but_a_class_may_be_called_test(tmp_path: Path, gathered: Any) -> None:
    for row, name in enumerate(["a/train/cat/1.png", "a/test/dog/1.png", "b/control/1.png", "b/test/1.png"]):
        save(tmp_path / name, row)
    assert gathered(Imported(str(tmp_path / "a"))).columns["class_name"].tolist() == ["dog", "cat"]
    assert gathered(Imported(str(tmp_path / "b"))).columns["class_name"].tolist() == ["control", "test"]


def test_names_that_are_no_utf8(tmp_path: Path, gathered: Any) -> None:
    file = tmp_path / "tea\udce9" / "\udcff.png"
    save(file, 1)
    found = gathered(Imported(str(tmp_path)))
    assert same(found.images, [1])
    assert found.columns["file"][0].encode() == "tea\ufffd/\ufffd.png".encode()
    assert found.columns["class_name"].tolist() == ["tea\ufffd"]


def test_links_are_followed_once(tmp_path: Path, gathered: Any) -> None:
    save(tmp_path / "real" / "1.png", 1)
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "set" / "cat" / "loop").symlink_to(tmp_path / "set")
    assert gathered(Imported(str(tmp_path / "set"))).columns["file"].tolist() == ["cat/linked/1.png"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_beside_images(tmp_path: Path, gathered: Any, kind: str) -> None:
    for row in range(3):
        save(tmp_path / "images" / f"{row}.png", row)
    save(tmp_path / "images" / "unlisted.png", 5)
    rows: list[dict[str, Any]] = [
        {"file_name": "images/2.png", "class": "cat", "seed": 3, "guidance_scale": 0.05, "code": "007"},
        {"file_name": "images/0.png", "class": "dog", "seed": 4, "guidance_scale": 0.5, "code": "012"},
        {"file_name": "images/9.png", "class": "dog", "seed": 5, "guidance_scale": 0.5, "code": "1"},
        {"file_name": "../secret.png", "class": "dog", "seed": 5, "guidance_scale": 0.5, "code": "1"},
    ]
    if kind == "csv":
        pd.DataFrame(rows).to_csv(tmp_path / "metadata.csv", index=False)
    elif kind == "jsonl":
        (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_parquet(tmp_path / "metadata.parquet")
    source = Imported(str(tmp_path))
    found = gathered(source)
    assert source.layout == f"images with metadata.{kind}"
    assert same(found.images, [2, 0])
    assert found.columns["class_name"].tolist() == ["cat", "dog"]
    assert found.columns["seed"].tolist() == [3, 4]
    assert found.columns["seed"].dtype == np.int64
    assert found.columns["guidance_scale"].tolist() == [0.05, 0.5]
    assert found.columns["code"].tolist() == ["007", "012"]
    reasons = " ".join(entry.reason for entry in source.skipped())
    assert "images/9.png is listed in metadata" in reasons
    assert "../secret.png is listed" in reasons
    assert "images/unlisted.png is listed in no metadata" in reasons
    assert gathered(Imported(str(tmp_path / f"metadata.{kind}"))).columns["file"].tolist() == ["images/2.png", "images/0.png"]


def test_metadata_in_the_folders_of_a_set(tmp_path: Path, gathered: Any) -> None:
    for row, part in enumerate(["train", "test"]):
        save(tmp_path / part / "1.png", row)
        (tmp_path / part / "metadata.csv").write_text("file_name,label,only_" + part + "\n1.png," + part + "-class,7\n")
    found = gathered(Imported(str(tmp_path)))
    assert same(found.images, [1, 0])
    assert found.columns["class_name"].tolist() == ["test-class", "train-class"]
    np.testing.assert_array_equal(found.columns["only_train"], [np.nan, 7])


def test_metadata_written_by_datasets_reads_alike(tmp_path: Path, gathered: Any) -> None:
    for row in range(3):
        save(tmp_path / f"{row}.png", row)
    pd.DataFrame({"file_name": [f"{row}.png" for row in (2, 0, 1)], "anchor_id": ["c", "a", "b"]}).to_csv(
        tmp_path / "metadata.csv", index=False
    )
    theirs = datasets.load_dataset("imagefolder", data_dir=str(tmp_path), split="train", cache_dir=str(tmp_path / ".cache"))
    found = gathered(Imported(str(tmp_path)))
    assert found.columns["anchor_id"].tolist() == list(theirs["anchor_id"])
    for mine, image in zip(found.images, theirs["image"], strict=True):
        np.testing.assert_array_equal(mine.transpose(1, 2, 0), np.asarray(image))


def test_parquet_of_datasets_in_shards(tmp_path: Path, gathered: Any) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"]), "prompt": datasets.Value("string")}
    )
    for shard in range(11):
        rows = {"image": [picture(shard), picture(shard)], "label": [0, 1], "prompt": [f"{shard}", None]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "data" / f"train-{shard}.parquet")
    source = Imported(str(tmp_path))
    found = gathered(source)
    assert source.layout == "parquet with images in the column 'image', 11 files"
    assert same(found.images, [shard for shard in range(11) for _ in range(2)])
    assert found.columns["class_name"].tolist() == ["cat", "dog"] * 11
    assert found.columns["label"].tolist() == [0, 1] * 11
    assert found.columns["prompt"].tolist()[:3] == ["0", "", "1"]
    assert found.columns["file"][2] == "data/train-1.parquet#0"


def test_parquet_as_we_export_it(tmp_path: Path, gathered: Any, given: Any) -> None:
    about = {
        "outlier_id": [5, 6],
        "anchor_row": [40, 41],
        "anchor_id": ["cifar10/train/40", "cifar10/train/7"],
        "anchor_class": ["dog", "bird"],
        "guidance_scale": [0.05, 0.05],
        "minority_score": [1.5, None],
        "t": [300, 300],
        "s": [125, 125],
        "seed": [0, 0],
        "id_confidence": [0.3, 0.4],
        "image": [{"bytes": encoded(3), "path": None}, {"bytes": encoded(4), "path": None}],
        "embedding": [[0.0, 1.0], [1.0, 0.0]],
    }
    pq.write_table(pa.table(about), tmp_path / "out.parquet")
    found = gathered(Imported(str(tmp_path / "out.parquet")), given(("cifar10/train/1", "cat"), ("cifar10/train/7", "frog")))
    assert same(found.images, [3, 4])
    assert found.columns["file"].tolist() == ["out.parquet#0", "out.parquet#1"]
    assert found.columns["anchor_row"].tolist() == [-1, 1]
    assert found.columns["anchor_id"].tolist() == about["anchor_id"]
    assert found.columns["anchor_class"].tolist() == ["dog", "frog"]
    assert found.columns["t"].dtype == np.int64
    np.testing.assert_array_equal(found.columns["minority_score"], [1.5, np.nan])
    assert found.columns["imported_outlier_id"].tolist() == [5, 6]
    assert found.columns["imported_id_confidence"].tolist() == [0.3, 0.4]
    assert not {"outlier_id", "id_confidence", "image", "embedding"} & set(found.columns)


def test_parquet_of_plain_bytes_beside_other_bytes(tmp_path: Path, gathered: Any) -> None:
    frame = pd.DataFrame({"digest": [b"\0\1", b"\2\3"], "content": [encoded(1), encoded(2, "BMP")], "class": ["a", None]})
    frame.to_parquet(tmp_path / "x.parquet")
    found = gathered(Imported(str(tmp_path)))
    assert same(found.images, [1, 2])
    assert found.columns["class_name"].tolist() == ["a", ""]
    assert found.columns["encoding"].tolist() == ["png", "bmp"]


def test_parquet_that_names_files_beside_it(tmp_path: Path, gathered: Any) -> None:
    save(tmp_path / "images" / "a.png", 1)
    rows = [{"bytes": None, "path": "images/a.png"}, {"bytes": None, "path": "../../a.png"}, {"bytes": encoded(2), "path": "b.png"}, None]
    pq.write_table(pa.table({"image": pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()}))}), tmp_path / "x.parquet")
    source = Imported(str(tmp_path / "x.parquet"))
    found = gathered(source)
    assert same(found.images, [1, 2])
    assert found.columns["file"].tolist() == ["images/a.png", "b.png"]
    first, second = source.skipped()
    assert "leads out of the folder" in first.reason
    assert "x.parquet#3 is empty" in second.reason


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_webdataset_shards(tmp_path: Path, gathered: Any, ending: str) -> None:
    with webdataset.ShardWriter(str(tmp_path / f"shard-%02d.{ending}"), maxcount=5, verbose=0) as sink:
        for row in range(12):
            sample: dict[str, Any] = {"__key__": f"{row:06d}", "png": PIXELS[row], "cls": row % 2, "txt": f"text {row}"}
            sample["json"] = {"seed": row, "scale": row / 2 if row else 1, "lists": [1]} | ({"rare": row} if row > 8 else {})
            sink.write(sample)
    source = Imported(str(tmp_path))
    found = gathered(source)
    assert source.layout == "a WebDataset tar, 3 files"
    assert same(found.images, list(range(12)))
    assert found.columns["file"][11] == f"shard-02.{ending}/000011.png"
    assert found.columns["class_name"].tolist() == ["0", "1"] * 6
    assert found.columns["seed"].tolist() == list(range(12))
    assert found.columns["seed"].dtype == np.int64
    assert found.columns["scale"].dtype == np.float64
    assert found.columns["text"][7] == "text 7"
    np.testing.assert_array_equal(found.columns["rare"], [np.nan] * 9 + [9, 10, 11])
    assert "lists" not in found.columns
    limited = gathered(Imported(str(tmp_path), limit=3))
    assert same(limited.images, [0, 5, 11])


def test_a_plain_tar_of_class_folders(tmp_path: Path, gathered: Any) -> None:
    for row, name in enumerate(["cat/1.png", "cat/1.v2.png", "dog/2.jpg", "dog/._2.jpg"]):
        save(tmp_path / "in" / name, row)
    with tarfile.open(tmp_path / "all.tgz", "w:gz") as archive:
        archive.add(tmp_path / "in", ".")
    source = Imported(str(tmp_path / "all.tgz"))
    found = gathered(source)
    assert source.layout == "a tar of images"
    by_name = dict(zip(found.columns["file"], found.columns["class_name"], strict=True))
    assert by_name == {"cat/1.png": "cat", "dog/2.jpg": "dog"}, "1.v2.png is a second picture of the sample cat/1, as masks are"


def test_duplicate_names_in_a_tar_are_kept_apart(tmp_path: Path, gathered: Any) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for row in (1, 2):
            for name, content in (("a.png", encoded(row)), ("a.cls", f"class-{row}".encode())):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    found = gathered(Imported(str(tmp_path / "x.tar")))
    assert same(found.images, [1, 2])
    assert found.columns["class_name"].tolist() == ["class-1", "class-2"]


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("key", ["x", "images", "arr_0", "whatever"])
def test_npz_of_goe(tmp_path: Path, gathered: Any, save_as: Any, key: str) -> None:
    save_as(tmp_path / "samples-50.0.npz", **{"y": np.arange(12), key: PIXELS.transpose(0, 3, 1, 2)})
    source = Imported(str(tmp_path / "samples-50.0.npz"))
    assert source.layout == f"an .npz array '{key}' of shape (12, 3, 8, 8), uint8"
    found = gathered(source)
    assert same(found.images, list(range(12)))
    assert same(gathered(source, first=7).images, list(range(7, 12)))
    assert found.columns["file"][3] == "samples-50.0.npz#3"
    assert set(found.columns["encoding"]) == {"array"}


@settings(max_examples=40, deadline=None)
@drawn(
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from(["u1", "<f2", "<f4", ">f4", "<f8"]),
    st.sampled_from(["npy", "npz", "packed"]),
)
def test_arrays_of_any_shape_and_kind(
    tmp_path_factory: pytest.TempPathFactory, given: Any, count: int, height: int, width: int, first: bool, kind: str, how: str
) -> None:
    pixels = np.random.default_rng(count).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    array = pixels if kind == "u1" else (pixels / 255).astype(kind)
    array = array.transpose(0, 3, 1, 2) if first else array
    file = tmp_path_factory.mktemp("array") / ("x.npy" if how == "npy" else "x.npz")
    {"npy": np.save, "npz": np.savez, "packed": np.savez_compressed}[how](file, np.ascontiguousarray(array))
    side = min(height, width)
    (group,) = Imported(str(file)).groups(given(size=side), 0)
    top, left = (height - side) // 2, (width - side) // 2
    expected = pixels[:, top : top + side, left : left + side].transpose(0, 3, 1, 2)
    if first and width == 3:
        return  # (N, 3, H, 3) can be read either way; the last axis counts
    assert np.abs(group.images.astype(int) - expected).max() == 0
    assert group.columns["width"].tolist() == [width] * count


def test_single_floats_that_are_no_pixels_are_left_out(tmp_path: Path, gathered: Any) -> None:
    array = (PIXELS / 255).astype(np.float32)
    array[3, 0, 0, 0], array[5] = np.nan, 7
    np.save(tmp_path / "x.npy", array)
    source = Imported(str(tmp_path / "x.npy"))
    source.check()
    assert same(gathered(source).images, [0, 1, 2, 4, 6, 7, 8, 9, 10, 11])
    assert [entry.path for entry in source.skipped()] == ["x.npy#3", "x.npy#5"]


def test_every_layout_pickles(tmp_path: Path, gathered: Any) -> None:
    save(tmp_path / "folder" / "cat" / "1.png", 0)
    np.save(tmp_path / "x.npy", PIXELS)
    pd.DataFrame({"image": [encoded(1)]}).to_parquet(tmp_path / "x.parquet")
    with webdataset.TarWriter(str(tmp_path / "x.tar")) as sink:
        sink.write({"__key__": "a", "png": PIXELS[2]})
    for name in ("folder", "x.npy", "x.parquet", "x.tar"):
        source = Imported(str(tmp_path / name))
        before = gathered(source)
        after = gathered(pickle.loads(pickle.dumps(source)))
        np.testing.assert_array_equal(before.images, after.images)
