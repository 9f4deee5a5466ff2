"""Runs at another place: a folder, fsspec's memory, and S3 as moto serves it."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from typer.testing import CliRunner

from badood.cli import app
from badood.core.artefacts import home, write_json
from badood.core.errors import BadInput
from badood.explore.finished import finished
from badood.pipeline.example import NAME, open_example
from badood.pipeline.remote import at, pull, push
from badood.pipeline.runs import Run, delete_run


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """An address of S3 on this machine, and what reaches it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        told = {
            "ACCESS_KEY_ID": "nobody",
            "SECRET_ACCESS_KEY": "nothing",
            "ENDPOINT_URL": f"http://{host}:{port}",
            "DEFAULT_REGION": "us-east-1",
        }
        for name, value in told.items():
            patch.setenv(f"AWS_{name}", value)
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"
    server.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for runs, empty."""
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    return str(tmp_path / "share") if request.param == "folder" else f"memory://{tmp_path.name}"


@pytest.fixture
def example() -> Run:
    """The shipped run."""
    return open_example()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects(url: str) -> list[str]:
    there, root = fsspec.core.url_to_fs(url)
    there.invalidate_cache()
    return [str(name) for name in there.find(f"{root}/objects")]


def test_a_run_comes_back_as_it_was(url: str, example: Run) -> None:
    before = {name: content for name, content in files(example.folder).items() if not name.startswith(".")}  # locks
    (example.folder / ".detect.part").mkdir()
    (example.folder / ".detect.part" / "half").write_text("of a process at work")
    assert at(url) == []
    moved = push(example, url)
    assert moved.files == len(before)
    assert len(objects(url)) == moved.sent == len(set(before.values())), "equal files lie there once"
    assert at(url) == [NAME]
    delete_run(NAME)
    assert pull(url, NAME).folder == home() / NAME
    assert files(home() / NAME) == before
    assert finished(NAME).scored
    assert not [path for path in home().iterdir() if path.name.startswith(".pull")]


def test_only_what_is_new_is_sent(url: str, example: Run) -> None:
    push(example, url)
    assert push(example, url).sent == 0
    other = shutil.copytree(example.folder, home() / "other")
    write_json(other / "run.json", example.record | {"run_id": "other"})
    assert push(Run(other, example.cfg, example.progress), url).sent == 1, "run.json"
    assert at(url) == [NAME, "other"]
    (example.folder / "later").write_text("a retrain")
    assert push(example, url).sent == 1
    there, _ = fsspec.core.url_to_fs(url)
    half = objects(url)[0]
    there.pipe_file(half, b"cut off")
    assert push(example, url).sent == 1, "what was cut off is sent again"


def test_other_bytes_are_noticed_and_nothing_is_left(url: str, example: Run) -> None:
    push(example, url)
    there, _ = fsspec.core.url_to_fs(url)
    name = objects(url)[0]
    content = there.cat_file(name)
    there.pipe_file(name, bytes([content[0] ^ 1]) + content[1:])
    delete_run(NAME)
    with pytest.raises(BadInput, match="has other bytes than were pushed; push the run again") as told:
        pull(url, NAME)
    assert name in str(told.value)
    assert not (home() / NAME).exists()
    assert not list(home().glob(".pull*"))
    there.rm_file(name)
    assert push(open_example(), url).sent == 1, "as the message says"


def test_nothing_that_is_there_is_overwritten(tmp_path: Path, example: Run) -> None:
    url = str(tmp_path / "share")
    push(example, url)
    with pytest.raises(BadInput, match="exists already; it is kept"):
        pull(url, NAME)
    write_json(example.folder / "run.json", example.record | {"created": "2020-01-01T00:00:00+00:00"})
    with pytest.raises(BadInput, match="has another run example, begun"):
        push(example, url)
    write_json(example.folder / "run.json", example.record | {"state": "running"})
    with pytest.raises(BadInput, match="is running, not done"):
        push(example, str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "..\\outside", "C:outside", "", "."])
def test_no_list_leads_out_of_the_run(name: str, tmp_path: Path, example: Run) -> None:
    url = tmp_path / "share"
    push(example, str(url))
    listed = json.loads((url / "runs" / f"{NAME}.json").read_text())
    listed["files"][name] = listed["files"]["run.json"]
    (url / "runs" / f"{NAME}.json").write_text(json.dumps(listed))
    delete_run(NAME)
    before = files(tmp_path)
    with pytest.raises(BadInput, match="lists no run"):
        pull(str(url), NAME)
    assert files(tmp_path) == before
    assert not (home() / NAME).exists()


def test_what_is_no_run_does_not_come_into_the_store(tmp_path: Path, example: Run) -> None:
    url = tmp_path / "share"
    push(example, str(url))
    listed = json.loads((url / "runs" / f"{NAME}.json").read_text())
    del listed["files"]["run.json"]
    (url / "runs" / f"{NAME}.json").write_text(json.dumps(listed))
    delete_run(NAME)
    with pytest.raises(BadInput, match=r"run\.json is not among the files"):
        pull(str(url), NAME)
    assert not (home() / NAME).exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"created": "x", "files": {"run.json": [-1, "00"]}}', b"\xff\xfe"])
def test_what_lists_no_run_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "it.json").write_bytes(content)
    with pytest.raises(BadInput, match=r"it\.json lists no run"):
        pull(str(tmp_path), "it")


def test_places_that_cannot_be_reached_are_told(tmp_path: Path, bucket: str, example: Run) -> None:
    with pytest.raises(BadInput, match="no run 'gone'; it has none"):
        pull(str(tmp_path), "gone")
    with pytest.raises(BadInput, match="nowhere://x cannot be reached"):
        push(example, "nowhere://x")
    with pytest.raises(BadInput, match="cannot be reached"):
        push(example, f"{bucket}-that-is-not-there/folder")
    with pytest.raises(BadInput, match=r"run name '\.\./x'"):
        pull(str(tmp_path), "../x")


def test_the_command_pushes_lists_and_pulls(tmp_path: Path, example: Run) -> None:
    url = str(tmp_path / "share")
    assert "were sent" in CliRunner().invoke(app, ["runs", "push", NAME, url]).stdout
    assert CliRunner().invoke(app, ["runs", "pull", url]).stdout == f"{NAME}\n"
    delete_run(NAME)
    assert str(home() / NAME) in CliRunner().invoke(app, ["runs", "pull", url, NAME]).stdout
