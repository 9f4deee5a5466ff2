import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from badood.config import Filter
from badood.core.artefacts import atomic_file, digest, made_folder, read_json, remove_folder, write_json
from badood.core.errors import BadInput, StorageFull


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


def test_unreadable_json_names_the_file(tmp_path: Path) -> None:
    broken = tmp_path / "run.json"
    with pytest.raises(BadInput, match=r"run\.json does not exist"):
        read_json(broken)
    broken.write_text("{")
    with pytest.raises(BadInput, match=r"run\.json is not readable JSON"):
        read_json(broken)


def test_a_removed_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "run" / "deep").mkdir(parents=True)
    remove_folder(tmp_path / "run")
    assert not list(tmp_path.iterdir())
