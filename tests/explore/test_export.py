"""Exports hold exactly the selection, and other tools read them."""

from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from badood.core.errors import BadInput
from badood.explore.export import export_csv, export_folder, export_parquet
from badood.explore.queries import Filters, Outliers


@pytest.fixture
def outliers(outliers_file: Path) -> Outliers:
    return Outliers(outliers_file)


def test_csv_holds_the_selection_without_images(outliers: Outliers, tmp_path: Path) -> None:
    ids = outliers.ids(Filters(id_confidence=(0.3, 0.5))).tolist()
    table = pd.read_csv(export_csv(outliers, tmp_path / "scores.csv", ids))
    assert sorted(table["outlier_id"]) == ids
    assert "image" not in table
    assert len(pd.read_csv(export_csv(outliers, tmp_path / "all.csv"))) == 300


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
