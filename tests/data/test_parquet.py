"""Parquet in the Hugging Face layout."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.parquet import read_parquet, split_files
from badood.data.parquet_rows import beside
from badood.data.record import counted


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


def table(file: Path, labels: object, **columns: object) -> Path:
    """A file without metadata: readable images, and the labels as they are."""
    values = labels if isinstance(labels, pa.Array) else pa.array(labels)
    pq.write_table(pa.table({"image": [png(row) for row in range(len(values))], "label": values} | columns), file)
    return file


@pytest.mark.parametrize("where", ["train-1.parquet", "data/train-1.parquet", "train/1.PARQUET"])
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "page"])
def test_every_shard_is_checked_and_a_broken_one_is_named(tmp_path: Path, where: str, damage: str) -> None:
    file = tmp_path / where
    file.parent.mkdir(exist_ok=True)
    sound = write(file.with_name("train-0.parquet"), [png(value) for value in range(6)], [0, 1] * 3).read_bytes()
    file.write_bytes({"cut": sound[:200], "empty": b"", "text": b"hello", "page": sound[:4] + 30 * b"\xff" + sound[34:]}[damage])
    with pytest.raises(BadInput, match=rf"{file.name} is not a readable parquet file \([^\n]+\); restore it"):
        dataset["parquet"](tmp_path, "train")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 2000))
@example([(579, 0)], 0)  # a column of fewer rows than the footer promises
def test_a_damaged_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], cut: int
) -> None:
    file = write(tmp_path_factory.mktemp("damaged") / "a.parquet", [png(1), png(2)], [0, 1])
    content = bytearray(file.read_bytes())
    for place, value in damage:
        content[place % len(content)] = value
    file.write_bytes(content[: max(len(content) - cut // 4, 0)] if cut % 4 == 0 else content)
    said = ""
    try:
        read_parquet([file], "a").pixels(4)
    except BadInput as error:
        said = str(error)
    assert said == "" or ("a.parquet" in said and "\n" not in said)


def test_shards_that_differ_are_named(tmp_path: Path) -> None:
    first = table(tmp_path / "train-0.parquet", [0, 1])
    with pytest.raises(BadInput, match=r"numbers in .*train-0\.parquet but texts in .*train-1\.parquet"):
        read_parquet([first, table(tmp_path / "train-1.parquet", ["a", "b"])], "a")
    pq.write_table(pa.table({"image": [png(1)]}), tmp_path / "train-2.parquet")
    with pytest.raises(BadInput, match=r"train-2\.parquet: images and labels are in 'image' and None, but"):
        read_parquet([first, tmp_path / "train-2.parquet"], "a")
    one, two = (write(tmp_path / f"{names[0]}.parquet", [png(1), png(2)], [0, 1], names) for names in (("cat", "dog"), ("ant", "bee")))
    with pytest.raises(BadInput, match=r"ant\.parquet: its class names \(ant, bee\) are not those of .*cat\.parquet \(cat, dog\)"):
        read_parquet([one, two], "a")


@pytest.mark.parametrize("suffix", [".parquet", ".PARQUET"])
@pytest.mark.parametrize("folder", ["", "data", "Data", "default/data", "set"])
@pytest.mark.parametrize("names", [("train-0", "test-0"), ("Train", "valid"), ("training", "dev"), ("pets_train", "pets_eval")])
def test_split_files_are_found_in_any_case_and_in_the_usual_folders(
    tmp_path: Path, suffix: str, folder: str, names: tuple[str, str]
) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / f"{name}{suffix}").touch()
        (place / f"._{name}{suffix}").touch()
    assert split_files(tmp_path, "train") == ([place / f"{names[0]}{suffix}"], True)
    assert split_files(tmp_path, "test") == ([place / f"{names[1]}{suffix}"], True)


def test_split_folders_of_parquet_are_found(tmp_path: Path) -> None:
    for split in ("train", "Test"):
        (tmp_path / "default" / split).mkdir(parents=True)
        (tmp_path / "default" / split / "0000.parquet").touch()
    assert split_files(tmp_path, "test") == ([tmp_path / "default" / "Test" / "0000.parquet"], True)


def test_a_file_that_tells_no_split_beside_others_is_reported(tmp_path: Path) -> None:
    for name in ("test", "extra", "metadata"):
        table(tmp_path / f"{name}.parquet", [0, 1])
    images = dataset["parquet"](tmp_path, "test")
    assert len(images) == 2
    assert counted(images.skipped) == {"no split": 2}


@pytest.mark.parametrize("labels", [[2012849, 3126707], [2**40, 3], [1, 2], [7.0, 9.0]])
def test_integer_classes_are_the_values_that_occur(tmp_path: Path, labels: list[int]) -> None:
    images = read_parquet([table(tmp_path / "a.parquet", labels * 2)], "a")
    assert images.classes == tuple(str(int(label)) for label in sorted(labels))
    assert [images.classes[label] for label in images.labels] == [str(int(label)) for label in labels] * 2


@given(st.lists(st.one_of(st.none(), st.integers(0, 2**63 - 1)), min_size=1, max_size=9))
@settings(max_examples=40, deadline=None)
def test_every_labelled_row_keeps_its_label(tmp_path_factory: pytest.TempPathFactory, labels: list[int | None]) -> None:
    file = table(tmp_path_factory.mktemp("labels") / "a.parquet", pa.array(labels, pa.int64()))
    known = [(row, str(label)) for row, label in enumerate(labels) if label is not None]
    if not known:
        with pytest.raises(BadInput, match="no row with a label in column 'label'"):
            read_parquet([file], "a")
        return
    images = read_parquet([file], "a")
    assert [(int(images.read(row)[0, 0, 0]), images.classes[label]) for row, label in enumerate(images.labels)] == known
    assert sum(counted(images.skipped).values()) == len(labels) - len(known)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([0, None, 1]), ("0", "1")),
        (pa.array([0.0, float("nan"), 1.0]), ("0", "1")),
        (pa.array(["b", None, "a"]), ("a", "b")),
        (pa.array(["b", "", "a"]), ("a", "b")),
        (pa.array(["b", None, "a"]).dictionary_encode(), ("a", "b")),
        (pa.array([True, None, False]), ("false", "true")),
        (pa.array([2**64 - 1, None, 5], pa.uint64()), ("18446744073709551615", "5")),
    ],
)
def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path, labels: pa.Array, classes: tuple[str, ...]) -> None:
    images = read_parquet([table(tmp_path / "a.parquet", labels)], "a")
    assert images.classes == classes
    assert images.ids == ("a.parquet#0", "a.parquet#2")
    (entry,) = images.skipped
    assert (entry.path, entry.kind, entry.count) == ("a.parquet#1", "no label", 1)


def test_names_stay_where_labels_are_missing(tmp_path: Path) -> None:
    images = read_parquet(
        [write(tmp_path / "a.parquet", [png(row) for row in range(30)], [(0, 1, None)[row % 3] for row in range(30)])], "a"
    )
    assert images.classes == ("cat", "dog")
    assert np.bincount(images.labels).tolist() == [10, 10]
    assert [int(images.read(row)[0, 0, 0]) for row in (0, 1, 2)] == [0, 1, 3]
    assert counted(images.skipped) == {"no label": 10}


def test_a_shard_without_any_label_is_left_out(tmp_path: Path) -> None:
    files = [table(tmp_path / "0.parquet", pa.array([None, None], pa.string())), table(tmp_path / "1.parquet", [4, 2])]
    images = read_parquet(files, "a")
    assert images.classes == ("2", "4")
    assert images.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pa.array([[1], [2]]), "holds lists; a label is a whole number or a text"),
        (pa.array([0.5, 1.0]), "holds double values"),
        (pa.array([float("inf"), 1.0]), "holds double values"),
        (pa.array([{"a": 1}, {"a": 2}]), "holds lists"),
        (pa.array([-1, 0]), "has the label -1"),
    ],
)
def test_labels_that_are_none_are_told(tmp_path: Path, labels: pa.Array, message: str) -> None:
    with pytest.raises(BadInput, match=rf"a\.parquet: column 'label' (?:{message})"):
        read_parquet([table(tmp_path / "a.parquet", labels)], "a")


def test_labels_beyond_the_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has the label 2, but its metadata names 2 classes"):
        read_parquet([write(tmp_path / "a.parquet", [png(1), png(2)], [0, 2])], "a")


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    both = pa.Table.from_arrays([pa.array([png(1)]), pa.array([0]), pa.array([1])], names=["image", "label", "label"])
    pq.write_table(both, tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"a\.parquet has 2 columns 'label'"):
        read_parquet([tmp_path / "a.parquet"], "a")


@pytest.mark.parametrize(
    "entry", ["null", "[]", '{"info": null}', '{"info": {"features": null}}', '{"info": {"features": {"label": null}}}', '""']
)
def test_metadata_that_say_nothing_are_none(tmp_path: Path, entry: str) -> None:
    written = pq.read_table(table(tmp_path / "a.parquet", [3, 5])).replace_schema_metadata({"huggingface": entry})
    pq.write_table(written, tmp_path / "a.parquet")
    assert read_parquet([tmp_path / "a.parquet"], "a").classes == ("3", "5")


@pytest.mark.parametrize("entry", [b"{broken", b"\xff\xfe{"])
def test_broken_metadata_are_told(tmp_path: Path, entry: bytes) -> None:
    written = pq.read_table(table(tmp_path / "a.parquet", [3, 5])).replace_schema_metadata({b"huggingface": entry})
    pq.write_table(written, tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r'a\.parquet: its metadata "huggingface" is no JSON'):
        read_parquet([tmp_path / "a.parquet"], "a")


@pytest.mark.parametrize("kind", ["struct", "text", "large text"])
@pytest.mark.parametrize("name", ["image", "file_name"])
def test_paths_are_read_from_beside_the_file(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "deep").mkdir()
    paths = ["0.png", "deep/1.png", "deep\\2.png", "./3.png", "gone.png"]
    for row, path in enumerate(paths[:4]):
        (tmp_path / path.replace("\\", "/")).write_bytes(png(row))
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array(paths, pa.string() if kind == "text" else pa.large_string())
    if kind == "struct":
        column = pa.array([{"bytes": None, "path": path} for path in paths], struct)
    pq.write_table(pa.table({name: column, "label": [0, 1, 0, 1, 0]}), tmp_path / "a.parquet")
    images = read_parquet([tmp_path / "a.parquet"], "a")
    assert [int(images.read(row)[0, 0, 0]) for row in range(4)] == [0, 1, 2, 3]
    (fault,) = images.skipped
    assert "gone.png" in fault.reason


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "../0.png", "a/../../0.png", "C:\\0.png", "\\\\host\\0.png", "https://example.org/0.png", "0\0.png"]
)
def test_paths_that_lead_out_of_the_folder_are_refused_with_a_reason(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for place in (folder, tmp_path):
        (place / "0.png").write_bytes(png(1))
    pq.write_table(pa.table({"image": ["0.png", path], "label": [0, 0]}), folder / "a.parquet")
    images = read_parquet([folder / "a.parquet"], "a")
    assert images.ids == ("a.parquet#0",)
    assert "leads out of the folder" in images.skipped[0].reason
    pq.write_table(pa.table({"image": [path], "label": [0]}), folder / "a.parquet")
    with pytest.raises(BadInput, match=r"no readable image in column 'image'; the first fault: .*leads out of the folder"):
        read_parquet([folder / "a.parquet"], "a")


@given(st.text(st.sampled_from("ab./\\:\0~"), max_size=9))
def test_no_path_leads_out_of_the_folder(path: str) -> None:
    folder = Path("/data/set")
    try:
        found = beside(folder / "a.parquet", path, "a.parquet#0")
    except BadInput:
        return
    assert Path(os.path.normpath(found)).is_relative_to(folder)


def test_lists_of_images_are_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [[{"bytes": png(1), "path": None}]], "label": [0], "count": [3]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="column 'image' holds lists of images; expected one image a row"):
        read_parquet([tmp_path / "a.parquet"], "a")
    with pytest.raises(BadInput, match="column 'count' holds int64 values"):
        read_parquet([tmp_path / "a.parquet"], "a", image="count")


def test_a_file_whose_name_is_not_utf8_is_read(tmp_path: Path) -> None:
    file = table(tmp_path / "a.parquet", [0, 1])
    images = dataset["parquet"](file.rename(tmp_path / "caf\udce9.parquet"), "test", holdout=0)
    assert images.ids == ("caf\ufffd.parquet#0", "caf\ufffd.parquet#1")
    assert images.name == "caf\ufffd/test"
    assert images.pixels(4).shape == (2, 3, 4, 4)


def test_a_folder_called_like_a_partition_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "label=7").mkdir()
    assert read_parquet([table(tmp_path / "label=7" / "a.parquet", ["x", "y"])], "a").classes == ("x", "y")


def test_cifar_without_a_label_is_told(tmp_path: Path) -> None:
    small = [png(row, 32) for row in range(3)]
    write(tmp_path / "train.parquet", small, [0, 1, None], tuple("abcdefghij"))
    written = pq.read_table(tmp_path / "train.parquet")
    metadata = {"huggingface": written.schema.metadata[b"huggingface"].replace(b'"kind"', b'"label"')}
    written = written.rename_columns(["image", "label"]).replace_schema_metadata(metadata)
    pq.write_table(written, tmp_path / "train.parquet")
    with pytest.raises(BadInput, match=r"train\.parquet: column 'label' has rows without a label of the 10 classes"):
        dataset["cifar10"](tmp_path, "train")


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
