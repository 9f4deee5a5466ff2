import errno
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from badood.config import Filter
from badood.core.artefacts import atomic_file, digest, made_folder, read_json, remove_folder, tidy, vacant, write_json
from badood.core.errors import BadInput, StorageError, StorageFull


def test_keys_depend_on_every_setting_and_on_nothing_else() -> None:
    assert digest("filter", Filter()) == digest("filter", Filter(lo=0.3))
    assert digest("filter", Filter()) != digest("filter", Filter(lo=0.31))
    assert digest("filter", Filter()) != digest("retrain", Filter())


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"old": 1})

    def fail() -> None:
        with atomic_file(path) as part:
            part.write_text("half of it")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_full_disk_is_named_and_the_old_result_stays(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"old": 1})

    def fill() -> None:
        with atomic_file(path) as part:
            part.write_text("x")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageFull, match=r"result\.json.*untouched"):
        fill()
    assert read_json(path) == {"old": 1}


def refused(path: Path, error: OSError) -> str:
    def fail() -> None:
        with atomic_file(path):
            raise error

    with pytest.raises(StorageError) as caught:
        fail()
    message = str(caught.value)
    assert str(error.filename or path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "permission"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "check the disk"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.ESTALE, "mount"),
        (errno.EOVERFLOW, "check it"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_path_and_remedy(number: int, remedy: str, tmp_path: Path) -> None:
    assert remedy in refused(tmp_path / "scores.csv", OSError(number, "strange"))
    assert "other.png" in refused(tmp_path / "scores.csv", OSError(number, "strange", str(tmp_path / "other.png")))
    assert list(tmp_path.iterdir()) == []


def test_errors_that_are_no_files_pass(tmp_path: Path) -> None:
    for error in (ConnectionResetError(errno.ECONNRESET, "peer"), OSError("broken image")):
        with pytest.raises(type(error)), atomic_file(tmp_path / "x"):
            raise error


def test_targets_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, error in (
        (tmp_path, BadInput),
        (tmp_path / ("a" * 300), StorageError),
        (tmp_path / "file" / "below", StorageError),
        (tmp_path / "file" / "far" / "below", StorageError),
    ):
        with pytest.raises(error) as caught:
            write_json(path, {})
        assert str(tmp_path) in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_json(tmp_path / ("ä" * 127), {"a": 1})
    assert read_json(tmp_path / ("ä" * 127)) == {"a": 1}


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    for name, there in (("old", True), ("new", False)):
        target, link = tmp_path / name / "x.json", tmp_path / f"{name}.link"
        target.parent.mkdir()
        if there:
            target.write_text("before")
        link.symlink_to(target.relative_to(tmp_path))
        write_json(link, {"a": 1})
        assert link.is_symlink()
        assert read_json(target) == read_json(link) == {"a": 1}
        assert [entry.name for entry in target.parent.iterdir()] == ["x.json"]
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(StorageError, match="circle"):
        write_json(circle, {})


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert vacant(pipe) == pipe
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(pipe.read_text)
        write_json(pipe, {"a": 1})
        assert json.loads(told.result(30)) == {"a": 1}
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("into", ["pipe", "file"])
def test_standard_output_is_written_to_in_order(name: str, into: str, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from badood.core.artefacts import atomic_file
print("before")
with atomic_file(Path({name!r})) as part:
    part.write_text("result\\n")
print("after")
"""
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run([sys.executable, "-c", code], check=True, text=True, stdout=out if into == "file" else subprocess.PIPE)
    said = (tmp_path / "out").read_text() if into == "file" else done.stdout
    assert said.split() == ["before", "result", "after"]


def test_only_a_free_place_is_vacant(tmp_path: Path) -> None:
    assert vacant(tmp_path / "new") == tmp_path / "new"
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("elsewhere")
    vacant(tmp_path / "dangling")
    for name in ("file", "link", "."):
        with pytest.raises(BadInput, match=r"exists; give a new name|is a folder"):
            vacant(tmp_path / name)


def test_a_failed_stage_leaves_nothing_where_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    def refuse(out: Path) -> None:
        raise BadInput("no")

    with pytest.raises(BadInput):
        made_folder(tmp_path / "0123", refuse)
    assert not list(tmp_path.glob(".*.part"))


def test_what_killed_processes_left_is_tidied_after_a_day(tmp_path: Path) -> None:
    for name in (".x.json.0123.part", ".y.json.4567.part"):
        (tmp_path / name).touch()
    for name in (".run.89ab.deleted", ".stage.part"):
        (tmp_path / name / "deep").mkdir(parents=True)
    for entry in tmp_path.iterdir():
        if entry.name != ".y.json.4567.part":
            os.utime(entry, (0, 0))
    tidy(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".stage.part", ".y.json.4567.part"]


def test_a_folder_appears_whole_or_not_at_all_and_is_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "stage" / "0123"

    def cut(out: Path) -> None:
        (out / "checkpoint").write_text("step 5")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_folder(path, cut)
    assert not path.exists()
    made_folder(path, lambda out: (out / "result").write_text((out / "checkpoint").read_text()))
    assert (path / "result").read_text() == "step 5"


def test_what_two_make_at_once_is_made_once(tmp_path: Path) -> None:
    path, begun, go_on = tmp_path / "stage" / "0123", Event(), Event()
    made: list[Path] = []

    def slowly(out: Path) -> None:
        made.append(out)
        begun.set()
        assert go_on.wait(30)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(made_folder, path, slowly)
        assert begun.wait(30)
        second = threads.submit(made_folder, path, slowly)
        assert not second.done()
        go_on.set()
        assert first.result() == second.result() == path
    assert len(made) == 1
    assert list(path.parent.iterdir()) == [path], "no lock stays"


def test_unreadable_json_names_the_file(tmp_path: Path) -> None:
    broken = tmp_path / "run.json"
    with pytest.raises(BadInput, match=r"run\.json does not exist"):
        read_json(broken)
    broken.write_text("{")
    with pytest.raises(BadInput, match=r"run\.json is not readable JSON"):
        read_json(broken)


def test_a_removed_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "run" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("run")
    remove_folder(tmp_path / "link")
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]
    remove_folder(tmp_path / "run")
    assert not list(tmp_path.iterdir())
    with pytest.raises(StorageError, match="does not exist"):
        remove_folder(tmp_path / "run")
