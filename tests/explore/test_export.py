"""Exports hold exactly the selection, and other tools read them."""

import csv
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from badood.core.errors import BadInput
from badood.explore.export import export_csv, export_folder, export_parquet, kind_of
from badood.explore.queries import Filters, Outliers
from badood.store import open_database, tags, verdicts


@pytest.fixture
def outliers(outliers_file: Path) -> Outliers:
    return Outliers(outliers_file)


@pytest.fixture
def outliers_of(outliers_file: Path, tmp_path: Path) -> Callable[..., Outliers]:
    """Outliers whose anchors are of these classes in turn."""

    def make(classes: list[str | None]) -> Outliers:
        table = pq.read_table(outliers_file).slice(0, 60)
        column = pa.array([classes[row % len(classes)] for row in range(len(table))])
        pq.write_table(table.set_column(table.column_names.index("anchor_class"), "anchor_class", column), tmp_path / "named.parquet")
        return Outliers(tmp_path / "named.parquet")

    return make


def test_csv_holds_the_selection_without_images(outliers: Outliers, tmp_path: Path) -> None:
    ids = outliers.ids(Filters(id_confidence=(0.3, 0.5))).tolist()
    table = pd.read_csv(export_csv(outliers, tmp_path / "scores.csv", ids))
    assert sorted(table["outlier_id"]) == ids
    assert "image" not in table
    assert len(pd.read_csv(export_csv(outliers, tmp_path / "all.csv"))) == 300


def test_every_export_carries_the_verdicts(outliers: Outliers, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    verdicts.give(database, "run", [3, 5], "reject", who="ada", note="fog")
    verdicts.give(database, "run", [5], "keep", who="bob")
    tags.put(database, "run", [3, 4], "dark", who="ada")
    tags.put(database, "run", [4], "a car", who="bob")
    given = tags.with_verdicts(database, "run")
    ids = [3, 4, 5]
    export_parquet(outliers, tmp_path / "it.parquet", ids, given)
    tables = [
        pd.read_csv(export_csv(outliers, tmp_path / "it.csv", ids, given), keep_default_na=False),
        pd.read_csv(export_folder(outliers, tmp_path / "it", ids, given) / "metadata.csv", keep_default_na=False),
        pq.read_table(tmp_path / "it.parquet").to_pandas(),
    ]
    for table in tables:
        by_id = table.set_index("outlier_id").loc[ids]
        assert by_id["verdict"].tolist() == ["reject", "", "keep"]
        assert by_id["verdict_who"].tolist() == ["ada", "", "bob"]
        assert by_id["tags"].tolist() == ["dark", "a car;dark", ""]
        assert by_id["verdict_note"].tolist() == ["fog", "", ""]
        assert pd.to_datetime(by_id["verdict_at"].iloc[[0, 2]], utc=True).le(pd.Timestamp.now("UTC")).all()
    assert "verdict" not in pd.read_csv(export_csv(outliers, tmp_path / "plain.csv", ids))


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "'=1+1", "plain = text", ""])
def test_no_note_becomes_a_formula(note: str, outliers_of: Callable[..., Outliers], tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    outliers = outliers_of(["=cmd", None])
    ids = [int(outliers.table()["outlier_id"].iloc[0])]
    verdicts.give(database, "run", ids, "reject", who="ada", note=note)
    given = tags.with_verdicts(database, "run")
    (kept,) = given["note"]
    for path in (
        export_csv(outliers, tmp_path / "it.csv", ids, given),
        export_folder(outliers, tmp_path / "it", ids, given) / "metadata.csv",
    ):
        (row,) = pd.read_csv(path, keep_default_na=False).to_dict("records")
        assert row["verdict_note"] == (f"'{kept}" if kept.startswith(("=", "+", "-", "@", "\t")) else kept)
    with (tmp_path / "it.csv").open() as file:
        assert not any(cell.startswith("=") for cells in csv.reader(file) for cell in cells)


def test_folder_is_an_image_folder_for_datasets(outliers: Outliers, tmp_path: Path) -> None:
    folder = export_folder(outliers, tmp_path / "out", [5, 17, 250])
    table = pd.read_csv(folder / "metadata.csv").set_index("outlier_id")
    assert sorted(table.index) == [5, 17, 250]
    for outlier_id, row in table.iterrows():
        assert Image.open(folder / row["file_name"]).getpixel((0, 0)) == (outlier_id, 40, 90)
        assert Path(row["file_name"]).parent.name == row["anchor_class"]
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(loaded["outlier_id"]) == [5, 17, 250]
    with pytest.raises(BadInput, match="exists already"):
        export_folder(outliers, folder)


def test_different_classes_have_different_folders(outliers_of: Callable[..., Outliers], tmp_path: Path) -> None:
    names = ["a:b", "a_b", "A_B", "日本 語", "кот", "line\nbreak", "../up", ".hidden", "", "ж" * 200]
    outliers = outliers_of(names)
    folder = export_folder(outliers, tmp_path / "out")
    table = pd.read_csv(folder / "metadata.csv", keep_default_na=False)
    shown = {Path(row.file_name).parent.name.casefold(): row.anchor_class for row in table.itertuples()}
    assert len(shown) == len(names)
    assert shown["a_b"] in ("a_b", "A_B"), "a name that is a folder's already stays"
    assert sorted(path.parent.parent for path in folder.rglob("*.png")) == [folder] * len(table)
    some = outliers.ids(Filters(anchor_class=("a:b",))).tolist()
    alone = pd.read_csv(export_folder(outliers, tmp_path / "some", some) / "metadata.csv")
    assert set(alone["file_name"]) <= set(table["file_name"]), "a class has the same folder whatever is selected"


def test_outliers_without_a_class_stand_under_their_source(outliers_of: Callable[..., Outliers], tmp_path: Path) -> None:
    folder = export_folder(outliers_of(["cat", None]), tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["cat", "minority"]


def test_links_are_followed_and_pipes_written_to(outliers: Outliers, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to("elsewhere.csv")
    export_csv(outliers, link, [5, 17])
    assert link.is_symlink()
    assert len(pd.read_csv(tmp_path / "elsewhere.csv")) == 2
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(pd.read_csv, pipe)
        export_csv(outliers, pipe, [5, 17])
        assert sorted(told.result(30)["outlier_id"]) == [5, 17]
    for export in (export_csv, export_parquet):
        with pytest.raises(BadInput, match="is a folder"):
            export(outliers, tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("out.parquet", "parquet"), ("out.CSV", "csv"), ("a.b.html", "report"), ("out", "folder"), ("run.2", "folder"), (".hidden", "folder")],
)
def test_the_ending_says_what_is_written(name: str, kind: str) -> None:
    assert kind_of(Path("somewhere.csv") / name) == kind


def test_an_ending_that_says_nothing_is_named() -> None:
    with pytest.raises(BadInput, match=r"ends in \.pdf.*\.parquet \(parquet\)"):
        kind_of(Path("out.pdf"))


def test_parquet_is_read_by_datasets_with_its_images(outliers: Outliers, tmp_path: Path) -> None:
    path = export_parquet(outliers, tmp_path / "some.parquet", [5, 17, 250])
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert isinstance(loaded.features["image"], datasets.Image)
    assert {row["outlier_id"]: row["image"].getpixel((0, 0))[0] for row in loaded} == {5: 5, 17: 17, 250: 250}
    assert len(Outliers(export_parquet(outliers, tmp_path / "all.parquet"))) == 300


@pytest.mark.parametrize("export", [export_csv, export_folder, export_parquet])
def test_bad_selections_leave_nothing_behind(export, outliers: Outliers, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to export"):
        export(outliers, tmp_path / "x", [])
    with pytest.raises(BadInput, match="select again"):
        export(outliers, tmp_path / "x", [1, 4000])
    assert list(tmp_path.iterdir()) == []


def test_numpy_ids_are_fine(outliers: Outliers, tmp_path: Path) -> None:
    assert len(Outliers(export_parquet(outliers, tmp_path / "x.parquet", np.array([1, 2], dtype=np.int64)))) == 2
