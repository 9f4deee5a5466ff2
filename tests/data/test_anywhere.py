"""What a path of the user's holds."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from badood.core.errors import BadInput
from badood.data.anywhere import source_of
from badood.data.parquet import split_files
from badood.data.splits import load


def table(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": [b"x"]}), file)
    return file


@pytest.mark.parametrize(
    "name", ["a.parquet", "all.PARQUET", "data/test-0.parquet", "Data/x.Parquet", "repo/data/train.parquet", "test/0.parquet"]
)
def test_parquet_is_found_by_the_rule_that_reading_follows(tmp_path: Path, name: str) -> None:
    file = table(tmp_path / "in" / name)
    for path in (tmp_path / "in", file):
        assert source_of(path).dataset == "parquet"
    split = "train" if "train" in name else "test"
    assert split_files(tmp_path / "in", split)[0] == [file]


def test_a_parquet_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert source_of(table(tmp_path / "download")).dataset == "parquet"


@pytest.mark.parametrize("name", ["cat/0.png", "0.png", "train/cat/0.png", "data/cat/0.png"])
def test_any_other_folder_is_one_of_images(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(tmp_path / name)
    table(tmp_path / "._hidden.parquet")
    source = source_of(tmp_path, "train", holdout=0)
    assert (source.dataset, source.path, source.split, source.params) == ("folder", str(tmp_path), "train", {"holdout": 0})
    assert len(load(source, None)) == 1


def test_the_share_is_the_data_sets_own_unless_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = source_of(Path())
    assert source.params == {}
    assert source.path == str(tmp_path)


def test_what_is_neither_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone does not exist; give a folder of images"):
        source_of(tmp_path / "gone")
    with pytest.raises(BadInput, match="does not exist"):
        source_of(tmp_path / ("x" * 5000))
    with pytest.raises(BadInput, match="does not exist"):
        source_of(Path("~no-such-user/pets"))
    for name, message in (
        ("a.zip", "is an archive; unpack it"),
        ("a.tar.gz", "is an archive"),
        ("a.JPG", "is a single image; give the folder"),
    ):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(BadInput, match=message):
            source_of(tmp_path / name)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(BadInput, match=r"a\.txt is no parquet file; give a folder"):
        source_of(tmp_path / "a.txt")
    with pytest.raises(BadInput, match="is neither a file nor a folder"):
        source_of(Path("/dev/null"))


def test_single_folders_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a").symlink_to(tmp_path / "a")
    assert source_of(tmp_path).dataset == "folder"
    with pytest.raises(BadInput, match="holds no image file"):
        load(source_of(tmp_path), None)
