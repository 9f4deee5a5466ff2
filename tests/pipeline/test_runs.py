"""`run.json`, the store and its names: nothing is lost by two writers, and no run is taken for another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from badood.config import Config, load_config
from badood.core.artefacts import home, read_json, write_json
from badood.core.errors import BadInput
from badood.pipeline.filter_rows import FilterRow
from badood.pipeline.runs import Run, as_json, check_name, delete_run, list_runs, new_id, open_run, start_run
from tests.conftest import CHECKOUT

WRITER = """
import sys
from badood.pipeline.runs import open_run
run = open_run(sys.argv[1])
for number in range(200):
    run.change(lambda record: record.setdefault("told", {}).update({f"{sys.argv[2]} {number}": number}))
"""


@pytest.fixture
def cfg() -> Config:
    return load_config("miniworld")


def test_two_writers_lose_nothing(cfg: Config) -> None:
    run = start_run(cfg, "two")
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, "two", name], cwd=CHECKOUT, env=environment) for name in "ab"]
    assert [writer.wait(timeout=300) for writer in writers] == [0, 0]
    assert len(run.record["told"]) == 400
    assert run.record["state"] == "running"


def test_rows_and_results_are_added_beside_what_others_wrote(cfg: Config) -> None:
    run = start_run(cfg, "beside")
    beside = open_run("beside")
    run.note_row(FilterRow("all", cfg.filter, kept=3))
    beside.note_row(FilterRow("mid", cfg.filter, kept=2))
    run.note_results(train=run.folder / "images" / "0", ood={"near": run.folder / "images" / "1"})
    beside.note_results(encoded=run.folder / "encode" / "0")
    assert set(run.rows) == {"all", "mid"}
    assert run.record["results"] == {"train": "images/0", "ood": {"near": "images/1"}, "encoded": "encode/0"}


def test_a_row_is_the_same_after_it_was_written(cfg: Config) -> None:
    row = FilterRow("mid", cfg.filter, kept=3, lo=0.25, hi=0.5, fpr95=0.5, per_set={"a": {"fpr95": 0.5}}, sources={"minority": 3})
    content = row.to_json()
    again = FilterRow.from_json("mid", content)
    assert again.to_json() == content
    assert "auroc" not in content, "what is missing is not written"
    assert FilterRow.from_json("mid", content | {"of a later version": 1}).to_json() == content


def test_equal_settings_have_an_equal_name_and_the_machine_does_not_count() -> None:
    first, other = (load_config("miniworld", [f"compute.threads={threads}"]) for threads in (1, 2))
    assert new_id(first) == new_id(other)
    assert new_id(first) != new_id(load_config("miniworld", ["seed=1"]))


def test_the_store_comes_before_a_folder_of_that_name(cfg: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_run(cfg, "results")
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_run("results").folder == home() / "results"
    with pytest.raises(BadInput, match=r"no run 'elsewhere'.* results"):
        open_run("elsewhere")


def test_a_folder_elsewhere_counts_where_it_holds_a_run(cfg: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = start_run(cfg, "here").folder
    folder.rename(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    assert open_run("there").folder == tmp_path / "there"
    assert open_run(tmp_path / "there").id == "there"


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "-a", "a" * 101, "a\0b", "ä b"])
def test_a_name_that_is_no_name_of_a_run_is_refused(name: str, cfg: Config) -> None:
    with pytest.raises(BadInput):
        check_name(name)
    with pytest.raises(BadInput):
        open_run(name or "nothing")


def test_a_run_at_work_is_not_deleted(cfg: Config) -> None:
    run = start_run(cfg, "busy")
    with run.at_work():
        assert run.workers() == [os.getpid()]
        with pytest.raises(BadInput, match=rf"busy is at work in process {os.getpid()}; stop that first"):
            delete_run("busy")
    assert run.workers() == []
    assert delete_run("busy") == run.folder
    assert not run.folder.exists()


def test_what_a_killed_process_left_does_not_keep_a_run(cfg: Config) -> None:
    run = start_run(cfg, "killed")
    code = "import os, sys; from badood.pipeline.runs import open_run\nwith open_run('killed').at_work(): os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, check=False)
    assert done.returncode == -9
    assert run.workers() == []
    delete_run("killed")


def test_a_folder_that_a_start_left_without_its_record_can_be_deleted() -> None:
    (home() / "half").mkdir(parents=True)
    assert list_runs() == []
    delete_run("half")
    assert not (home() / "half").exists()
    with pytest.raises(BadInput, match="no run 'half'"):
        delete_run("half")


def test_runs_of_another_version_stay_and_are_named(cfg: Config) -> None:
    old, new = start_run(cfg, "old"), start_run(cfg, "new")
    write_json(old.folder / "run.json", old.record | {"layout": 1})
    (home() / "broken").mkdir()
    (home() / "broken" / "run.json").write_text("{")
    assert [run.id for run in list_runs()] == [new.id]
    with pytest.raises(BadInput, match="layout 1, this version reads 3; start the run again under another name"):
        open_run("old")
    with pytest.raises(BadInput, match="not readable JSON"):
        open_run("broken")


def test_what_is_no_number_is_null_in_json(cfg: Config) -> None:
    assert "NaN" not in as_json({"a": [float("nan"), float("inf"), 1.0]})
    run = Run(home() / "clock", cfg)
    start_run(cfg, "clock")
    run.clock("detect", 1.5, 100)
    run.clock("detect", 0.5, 90)
    run.clock("evaluate", 1.0, 50)
    record = read_json(run.folder / "run.json")
    assert record["stages"]["detect"] == {"wall_seconds": 2.0, "peak_rss_mb": 100}
    assert record["totals"] == {"wall_seconds": 3.0, "peak_rss_mb": 100}
