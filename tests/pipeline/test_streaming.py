"""Outliers are written group by group: nothing is lost by a kill, memory does not grow, and a full disk is told."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from badood.config import load_config
from badood.core.errors import BadInput, StorageFull
from badood.outliers import Group
from badood.pipeline.artefacts import Made, Outliers
from badood.pipeline.engines.local import made
from badood.pipeline.models import Models
from badood.pipeline.stage import call
from badood.pipeline.stages.outliers import outliers
from tests.conftest import CHECKOUT
from tests.pipeline.tiny import contents
from tests.pipeline.toy_source import CONTEXT, SIZE, Counting, inputs


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(load_config("miniworld"))


def make(folder: Path, source: Counting, models: Models, within: Path | None = None) -> Made:
    """The stage's result in a folder; the ID images lie beside it, or `within`."""
    return made(folder, call(outliers, *inputs((within or folder) / "train", source, models)), CONTEXT)[0]


def assert_counts(result: Made, count: int) -> None:
    table = result.table().to_pandas()
    assert table["number"].tolist() == list(range(count))
    assert table["name"].tolist() == [f"outlier {row}" for row in range(count)]
    images = np.load(result.images, mmap_mode="r")
    assert images.shape == (count, 3, SIZE, SIZE)
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(count) % 251)
    np.testing.assert_array_equal(images[:, 2, -1, -1], np.arange(count) % 251)
    assert result.embeddings is not None
    np.testing.assert_array_equal(result.embeddings[:, 0], np.arange(count))
    assert sorted(path.name for path in result.folder.iterdir()) == [
        ".sums.json",
        "embeddings.npy",
        "images.npy",
        "rows.parquet",
        "source.json",
    ]


@pytest.mark.parametrize(("count", "group"), [(1, 1), (10, 3), (300, 100), (301, 100)])
def test_all_rows_are_written_whatever_the_groups(tmp_path: Path, models: Models, count: int, group: int) -> None:
    assert_counts(make(tmp_path, Counting(count, group), models), count)


@pytest.mark.parametrize("breaks", [0, 100, 200, 900])
def test_a_source_that_is_interrupted_leaves_no_half_rows_and_goes_on(tmp_path: Path, models: Models, breaks: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, Counting(1000, breaks=breaks), models)
    (left,) = (tmp_path / "outliers").glob(".*.part")
    assert len(list(left.glob("group-*.parquet"))) == breaks // 100
    again = make(tmp_path, Counting(1000), models)
    whole = make(tmp_path / "whole", Counting(1000), models, within=tmp_path)
    assert again.key == whole.key
    assert contents(again.folder) == contents(whole.folder)
    assert_counts(again, 1000)


def test_what_is_done_is_not_done_again(tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, Counting(1000, breaks=600), models)
    asked: list[int] = []
    before = Counting.groups

    def listening(self: Counting, given: Any, first: int) -> Iterator[Group]:
        asked.append(first)
        return before(self, given, first)

    monkeypatch.setattr(Counting, "groups", listening)
    make(tmp_path, Counting(1000), models)
    assert asked == [600]


@pytest.mark.parametrize("cut", ["images.npy", "embeddings.npy"])
def test_a_file_that_was_cut_off_in_a_group_is_written_again(tmp_path: Path, models: Models, cut: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, Counting(500, breaks=300), models)
    (left,) = (tmp_path / "outliers").glob(".*.part")
    with (left / cut).open("ab") as file:
        file.write(b"half a group")
    assert_counts(make(tmp_path, Counting(500), models), 500)


@pytest.mark.parametrize(
    ("file", "at"), [("images.npy", 3), ("images.npy", -10), ("embeddings.npy", -10), ("group-000000000100.parquet", 30)]
)
def test_groups_that_were_damaged_before_it_went_on_are_made_again(tmp_path: Path, models: Models, file: str, at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, Counting(300, breaks=200), models)
    (left,) = (tmp_path / "outliers").glob(".*.part")
    content = bytearray((left / file).read_bytes())
    content[at if at > 0 else len(content) * 2 // 3 + at] ^= 1
    (left / file).write_bytes(content)
    assert_counts(make(tmp_path, Counting(300), models), 300)


@pytest.mark.parametrize("unlinked", range(4))
def test_a_kill_while_the_groups_are_joined_loses_no_row(
    tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch, unlinked: int
) -> None:
    done, before = [], Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.name.startswith("group-"):
            if len(done) == unlinked:
                raise KeyboardInterrupt
            done.append(self)
        before(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path, Counting(400), models)
    assert len(done) == unlinked
    assert_counts(make(tmp_path, Counting(400), models), 400)


KILLED = """
import sys
from pathlib import Path
from badood.config import load_config
from badood.pipeline.models import Models
from tests.pipeline.test_streaming import make
from tests.pipeline.toy_source import Counting
make(Path(sys.argv[1]), Counting(2000, pause=0.02), Models(load_config("miniworld")))
"""


@pytest.mark.slow
def test_a_killed_stage_goes_on_at_the_last_whole_group(tmp_path: Path, models: Models) -> None:
    for groups in (2, 7):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], cwd=CHECKOUT, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}
        )
        end = time.monotonic() + 120
        while len(list((tmp_path / "outliers").glob(".*.part/group-*.parquet"))) < groups:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < end
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not list((tmp_path / "outliers").glob("[!.]*"))
    again = make(tmp_path, Counting(2000), models)
    whole = make(tmp_path / "whole", Counting(2000), models, within=tmp_path)
    assert contents(again.folder) == contents(whole.folder)
    assert_counts(again, 2000)


def peak(folder: Path, count: int, models: Models) -> tuple[int, int]:
    """Bytes at the peak of the stage, of numpy and Python and of Arrow."""
    pool = pa.system_memory_pool()
    pa.set_memory_pool(pool)
    make(folder / "warm", Counting(200), models)
    before = pool.bytes_allocated()
    tracemalloc.start()
    make(folder / str(count), Counting(count, group=200), models)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most, pool.bytes_allocated() - before


def test_memory_does_not_grow_with_the_number_of_outliers(tmp_path: Path, models: Models) -> None:
    few, many = (peak(tmp_path / str(count), count, models) for count in (2_000, 20_000))
    pixels = (20_000 - 2_000) * 3 * SIZE * SIZE
    assert pixels > 13_000_000
    assert many[0] - few[0] < 2_000_000
    assert many[1] - few[1] < 2_000_000


def test_a_source_that_gives_fewer_than_it_announced_is_told(tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Counting.groups
    monkeypatch.setattr(Counting, "groups", lambda self, given, first: before(Counting(250), given, first))
    with pytest.raises(BadInput, match=r"announced 300 outliers and made 250.*start again"):
        make(tmp_path, Counting(300), models)


def test_a_source_without_outliers_is_told(tmp_path: Path, models: Models) -> None:
    with pytest.raises(BadInput, match="gives no outlier"):
        make(tmp_path, Counting(0), models)


@pytest.mark.parametrize("images", [np.zeros((2, 3, 8, 8), np.uint8), np.zeros((2, 3, SIZE, SIZE), np.float32)])
def test_images_of_another_shape_are_told(tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch, images: Any) -> None:
    monkeypatch.setattr(Counting, "groups", lambda self, given, first: iter([Group(images)]))
    with pytest.raises(BadInput, match=r"expected \(n, 3, 16, 16\) uint8"):
        make(tmp_path, Counting(2), models)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_what_was_written_is_gone_on_from(tmp_path: Path, models: Models, small_disk: Path) -> None:
    with pytest.raises(StorageFull, match=r"no space left.*runs delete"):
        make(small_disk, Counting(2000), models, within=tmp_path)
    (left,) = (small_disk / "outliers").glob(".*.part")
    assert list(left.glob("group-*.parquet"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert_counts(make(small_disk, Counting(2000), models, within=tmp_path), 2000)


def test_a_disk_that_is_full_from_the_start_leaves_nothing_in_the_way(tmp_path: Path, models: Models, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"\0" * (2**20 - 3 * 4096))
    with pytest.raises(StorageFull):
        make(small_disk, Counting(50, group=50), models, within=tmp_path)
    (small_disk / "ballast").unlink()
    assert_counts(make(small_disk, Counting(50, group=50), models, within=tmp_path), 50)


def test_columns_of_two_sources_come_together_whatever_their_capitals_and_kinds(tmp_path: Path) -> None:
    parts = []
    for name, columns in {"a": {"label": [1, 2], "note": ["x", "y"]}, "b": {"Label": ["cat"], "note": [0.5], "more": [True]}}.items():
        (tmp_path / name).mkdir()
        pq.write_table(pa.table(columns), tmp_path / name / "rows.parquet")
        parts.append((name, Made(tmp_path / name)))
    table = Outliers(tuple(parts)).table()
    assert table["label"].to_pylist() == ["1", "2", "cat"]
    assert table["note"].to_pylist() == ["x", "y", "0.5"]
    assert table["more"].to_pylist() == [None, None, True]
