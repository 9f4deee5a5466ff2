"""Parquet in the Hugging Face layout."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.parquet import read_parquet


def png(value: int, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(file: Path, contents: list[bytes | None], labels: list[int] | None = None, names: tuple[str, ...] = ("cat", "dog")) -> Path:
    """A file as `datasets` writes it."""
    columns: dict[str, pa.Array] = {
        "image": pa.array(
            [{"bytes": content, "path": None} for content in contents], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        )
    }
    features: dict[str, object] = {"image": {"_type": "Image"}}
    if labels is not None:
        columns["kind"] = pa.array(labels, pa.int64())
        features["kind"] = {"_type": "ClassLabel", "names": list(names)}
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, file, row_group_size=3)
    return file


def test_images_labels_and_names_come_from_the_schema(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", [png(10), png(20), png(30), png(40)], [0, 1, 0, 1])
    write(tmp_path / "train-00001-of-00002.parquet", [png(50)], [1])
    write(tmp_path / "test.parquet", [png(60)], [0])
    images = dataset["parquet"](tmp_path, "train")
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 1, 0, 1, 1]
    assert [int(images.read(row)[0, 0, 0]) for row in (4, 0, 2)] == [50, 10, 30]
    assert len(dataset["parquet"](tmp_path, "test")) == 1


def test_datasets_own_files_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [{"bytes": png(7), "path": None}, {"bytes": png(9), "path": None}], "label": [1, 0]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "some.parquet")
    images = dataset["parquet"](tmp_path / "some.parquet", "test", holdout=0)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [1, 0]
    assert images.read(1)[0, 0, 0] == 9


def test_unreadable_rows_are_left_out_and_reported(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [png(1), png(2)[:30], None, png(4)], [0, 0, 1, 1])
    images = read_parquet([file], "a")
    assert images.labels.tolist() == [0, 1]
    assert images.read(1)[0, 0, 0] == 4
    assert [entry.path for entry in images.skipped] == ["a.parquet#1", "a.parquet#2"]


def test_plain_binary_and_string_labels(tmp_path: Path) -> None:
    pq.write_table(pa.table({"img": [png(1), png(2)], "label": ["zebra", "ant"]}), tmp_path / "a.parquet")
    images = read_parquet([tmp_path / "a.parquet"], "a")
    assert images.classes == ("ant", "zebra")
    assert images.labels.tolist() == [1, 0]


def test_without_a_label_column_there_is_one_class(tmp_path: Path) -> None:
    assert read_parquet([write(tmp_path / "a.parquet", [png(1)])], "a").classes == ("unlabelled",)


def test_an_undivided_file_is_divided_without_overlap(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [png(value) for value in range(20)], [0, 1] * 10)
    train, test = dataset["parquet"](file, "train"), dataset["parquet"](file, "test")
    assert sorted(train.ids + test.ids) == sorted(dataset["parquet"](file, "test", holdout=0).ids)
    assert not set(train.ids) & set(test.ids)


def test_no_image_column_names_the_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"no image column .*text, label"):
        read_parquet([tmp_path / "a.parquet"], "a")


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(BadInput, match=r"a\.parquet is not a readable parquet file"):
        read_parquet([tmp_path / "a.parquet"], "a")
    with pytest.raises(BadInput, match="no parquet file"):
        dataset["parquet"](tmp_path / "nowhere", "train")
    write(tmp_path / "train.parquet", [png(1)], [0])
    with pytest.raises(BadInput, match=r"no test\*\.parquet"):
        dataset["parquet"](tmp_path, "test")
    with pytest.raises(BadInput, match="no column 'picture'"):
        dataset["parquet"](tmp_path, "train", image="picture")


def test_cifar10_from_parquet(test_data: Path) -> None:
    images = dataset["cifar10"](test_data / "data" / "cifar10", "test")
    assert len(images) == 10_000
    assert images.classes[0] == "airplane"
    assert np.bincount(images.labels).tolist() == [1000] * 10
    assert images.take(np.arange(5)).pixels(32).shape == (5, 3, 32, 32)


def test_the_other_cifar_is_refused(test_data: Path) -> None:
    with pytest.raises(BadInput, match="100 classes where CIFAR10 has 10"):
        dataset["cifar10"](test_data / "data" / "cifar100", "test")


def test_halves_of_cifar100_share_no_class(test_data: Path) -> None:
    halves = [dataset["cifar100"](test_data / "data" / "cifar100", "test", half=half) for half in ("first", "second")]
    assert [len(half) for half in halves] == [5000, 5000]
    assert not set(halves[0].labels) & set(halves[1].labels)


def test_torchvisions_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own layout, with its integrity check made to pass on files of ten images."""
    import pickle

    import torchvision

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    batch = {"data": np.arange(10 * 3072, dtype=np.uint32).astype(np.uint8).reshape(10, 3072), "labels": list(range(10))}
    for file in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        (folder / file).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *_: True)
    images = dataset["cifar10"](tmp_path, "train")
    assert len(images) == 50
    assert images.classes == tuple(names)
    assert images.read(0)[0, 1].tolist() == [1, 1, 1]
