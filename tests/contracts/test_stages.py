"""Every stage can be sent to another process, has a version, and is named by contents, never by places."""

import importlib
import os
import pickle
import pkgutil
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import pytest

from badood.config import Config, weights_path
from badood.core.artefacts import home
from badood.pipeline import path, stages
from badood.pipeline.engines import Local
from badood.pipeline.path import run
from badood.pipeline.runs import Run, open_run
from badood.pipeline.stage import Call, Context, Stage
from tests.conftest import CHECKOUT
from tests.contracts.conftest import tiny_settings, walked

MODULES = [importlib.import_module(f"{stages.__name__}.{each.name}") for each in pkgutil.iter_modules(stages.__path__)]
STAGES: dict[str, Stage[Any]] = {
    value.name: value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, Stage) and value.function.__module__ == module.__name__
}


class Listening(Local):
    """An engine that remembers what every stage was given."""

    heard: ClassVar[list[tuple[Stage[Any], tuple[Any, ...]]]] = []

    def _timed(self, call: Call[Any], ctx: Context) -> Any:
        self.heard.append((call.stage, call.inputs))
        return super()._timed(call, ctx)


def test_every_module_of_the_folder_has_a_stage_and_no_name_is_given_twice() -> None:
    names = [
        value.name
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, Stage) and value.function.__module__ == module.__name__
    ]
    assert len(names) == len(set(names)) >= 15
    assert {STAGES[name].function.__module__ for name in STAGES} == {module.__name__ for module in MODULES}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_stage_is_the_same_in_another_process(name: str) -> None:
    stage = STAGES[name]
    assert pickle.loads(pickle.dumps(stage)) is stage
    assert cloudpickle.loads(cloudpickle.dumps(stage)) is stage
    assert stage.function.__doc__, "it says what it writes"


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_raised_version_has_results_of_its_own(name: str) -> None:
    stage = STAGES[name]
    assert replace(stage, version=stage.version + 1).key(["settings"]) != stage.key(["settings"])
    assert replace(stage, name=f"{name}-2").key(["settings"]) != stage.key(["settings"])
    assert stage.key(["settings"]) == stage.key(["settings"])


def test_everything_that_a_run_hands_to_its_stages_pickles_and_is_no_path(tmp_path: Path) -> None:
    Listening.heard.clear()
    run(tiny_settings(tmp_path), "listened", engine=Listening)
    assert {stage.name for stage, _ in Listening.heard} >= {"images", "outliers", "describe", "detect", "calibrate", "select", "evaluate"}
    for stage, inputs in Listening.heard:
        for again in (pickle.loads(pickle.dumps(inputs)), cloudpickle.loads(cloudpickle.dumps(inputs))):
            assert stage.key(again) == stage.key(inputs), stage.name
        for value in walked(inputs):
            assert not isinstance(value, Path), f"{stage.name} is given {value}"
            held = value.model_dump(mode="json") if hasattr(value, "model_dump") and not hasattr(value, "key") else value
            for text in walked(held):
                assert not (isinstance(text, str) and text.startswith("/")), f"the key of {stage.name} would hold {text}"


def keys(of: Run) -> set[str]:
    return {str(path.relative_to(of.folder)) for path in of.folder.glob("*/*") if path.name[0] != "."}


def moved(cfg: Config, weights: Path, outliers: Path) -> Config:
    """The same settings, every file elsewhere."""
    content = cfg.model_dump()
    for name in ("encoder", "rdm", "tokenizer", "mage", "clip"):
        content[name]["weights"] = str(weights / f"{name}.safetensors")
    content["outliers"][0]["params"]["path"] = str(outliers)
    return Config.model_validate(content)


def test_results_have_the_same_names_wherever_weights_and_outliers_lie(tiny_run: Run, tmp_path: Path) -> None:
    source = Path(tiny_run.cfg.outliers[0].params["path"])
    outliers = tmp_path / "elsewhere" / source.name
    outliers.parent.mkdir()
    shutil.copy2(source, outliers)
    shutil.copytree(weights_path(tiny_run.cfg, "clip").parent, tmp_path / "weights")
    again = run(moved(tiny_run.cfg, tmp_path / "weights", outliers), "moved", engine=Local)
    assert again.folder.parent == home()
    assert keys(again) == keys(tiny_run)


def test_a_raised_version_leaves_old_runs_readable(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny_run.folder, home() / "old")
    before = open_run("old").rows
    for name in ("detect", "evaluate", "calibrate", "encode", "types", "select"):
        monkeypatch.setattr(path, name, replace(getattr(path, name), version=99))
    assert open_run("old").rows == before
    again = path.run(tiny_run.cfg, "new", engine=Local)
    assert {entry for entry in keys(again) if entry.startswith("images/")} == {
        entry for entry in keys(tiny_run) if entry.startswith("images/")
    }
    assert not {entry for entry in keys(again) & keys(tiny_run) if entry.startswith(("detect/", "evaluate/"))}


def test_keys_are_the_same_in_every_process() -> None:
    code = (
        "from badood.config import load_config; from badood.pipeline.models import Models; from badood.pipeline.preflight import outlier_sources;"
        "cfg = load_config('miniworld'); source = outlier_sources(cfg)['minority'];"
        "print(Models(cfg).only(*source.needs).key, source.key)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1, "a set in a key has another order in every process"
