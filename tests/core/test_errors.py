"""What the outermost boundary tells of errors that are not ours: a line with the file, or nothing for a bug."""

import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import yaml
from safetensors.torch import load_file

from badood.core.errors import BadInput, one_line


def of(call: Callable[[], object]) -> str | None:
    """The line for what a call raises."""
    try:
        call()
    except BaseException as error:
        return one_line(error)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda path: path.joinpath("below").read_text(), "file, not a folder"),
        (lambda path: path.with_name("none").read_text(), "does not exist: check the name"),
        (lambda path: path.with_name("n" * 300).touch(), "too long"),
        (lambda path: path.parent.read_text(), "is a folder"),
        (lambda path: pa.parquet.read_table(path), "table that cannot be read"),
        (lambda path: yaml.safe_load("a: [1"), "YAML that cannot be read"),
        (lambda path: path.read_text(encoding="utf-8"), "not UTF-8"),
        (lambda path: "日本".encode("ascii"), "'日本' cannot be written as ASCII"),
        (lambda path: zlib.decompress(path.read_bytes()), "compressed data that is broken"),
        (lambda path: lzma.decompress(path.read_bytes()), "compressed data that is broken"),
        (lambda path: zipfile.ZipFile(path), "zip file that is broken"),
        (lambda path: tarfile.open(path), "tar file that is broken"),  # noqa: SIM115
        (lambda path: duckdb.sql(f"select * from read_parquet('{path}')").fetchall(), "query over a table failed"),
        (lambda path: load_file(path), "weights file that cannot be read"),
        (lambda path: sqlite3.connect(path).execute("create table t (a)"), "database does not work"),
    ],
)
def test_foreign_errors_are_one_line(read: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(b"\xff\xfe neither this nor that" * 40)
    line = of(lambda: read(path))
    assert line is not None
    assert said in line
    assert "\n" not in line


def test_files_are_named_where_the_error_has_one(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("a: 1\nb: [1")
    assert f"{settings}, line 2" in str(of(lambda: yaml.safe_load(settings.open())))
    noted = MemoryError()
    noted.add_note("images.parquet")
    assert "not enough memory in images.parquet" in str(one_line(noted))
    assert "device's memory" in str(one_line(torch.OutOfMemoryError("CUDA out of memory")))
    assert one_line(ConnectionResetError(104, "reset by peer")) == (
        "no connection ([Errno 104] reset by peer): check the network and start again."
    )


def test_our_own_errors_speak_for_themselves_and_bugs_keep_their_traceback() -> None:
    assert one_line(BadInput("band 0.9..0.8 is empty; swap its ends.")) == "band 0.9..0.8 is empty; swap its ends."
    for bug in (KeyError("a"), ValueError("shape"), AttributeError("x"), RuntimeError("size mismatch"), AssertionError()):
        assert one_line(bug) is None
    assert of(lambda: duckdb.sql("select nothing from nowhere")) is None
