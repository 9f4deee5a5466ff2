"""Plug-ins by name: what is found, what is refused, what a notebook may do again."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from badood.core.errors import BadConfig, BadInput
from badood.core.registry import Registry

Package = Callable[..., Registry]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a package of plug-in modules from their source and the registry that looks into it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**modules: str) -> Registry:
        name = f"plugins_{tmp_path.name}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        for module, source in modules.items():
            (tmp_path / name / f"{module}.py").write_text(source)
        registry: Registry = Registry("toy", name)
        monkeypatch.setitem(sys.modules, "the_registry", registry)  # type: ignore[arg-type]
        return registry

    return make


def toys() -> Registry:
    registry: Registry = Registry("toy", "badood.calibrate")  # a package without toys

    @registry("ball")
    @dataclass
    class Ball:
        size: PositiveInt = 3
        colour: str = "red"

    @registry("train")
    @dataclass
    class Train:
        wagons: PositiveInt

    return registry


def defined(name: str, module: str = "__main__", qualname: str | None = None) -> type:
    made = type(name, (), {"__module__": module})
    made.__qualname__ = qualname or name
    return made


def test_a_wrong_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(BadConfig, match=r"no toy is called 'bal'; did you mean ball\? there are ball, train"):
        toys()["bal"]
    with pytest.raises(BadConfig, match="no toy is called 'submarine'; there are ball, train"):
        toys()["submarine"]


def test_a_name_given_twice_is_an_error() -> None:
    with pytest.raises(BadInput, match="'ball' is registered twice"):
        toys()("ball")(defined("Ball", "elsewhere"))


def test_a_cell_that_is_run_again_replaces_what_it_defined() -> None:
    registry = toys()
    first, again = defined("Kite"), defined("Kite")
    registry("kite")(first)
    registry("kite")(again)
    assert registry["kite"] is again
    for other in (defined("Dragon"), defined("Kite", "package.kites"), defined("Kite", qualname="make.<locals>.Kite")):
        with pytest.raises(BadInput, match="twice"):
            registry("kite")(other)
    assert registry["kite"] is again


def test_only_what_a_notebook_defined_is_its_own() -> None:
    registry = toys()
    assert registry.own() == {}
    kite = registry("kite")(defined("Kite"))
    assert registry.own() == {"kite": kite}


HANDED = """
import sys, cloudpickle
from badood.core.registry import own_entries, restore
for handed in cloudpickle.load(open(sys.argv[1], "rb")):
    restore(handed)
from badood.detect.scorers import scorer
print(scorer.make("mine", {"k": 3}).k, "knn" in scorer, own_entries()["scorer", "badood.detect.scorers"] == {"mine": scorer["mine"]})
"""


def test_another_process_takes_what_a_notebook_defined_again_and_again(tmp_path: Path) -> None:
    code = """
import sys, cloudpickle
from pydantic.dataclasses import dataclass
from badood.core.registry import own_entries
from badood.detect.scorers import Scorer, scorer
handed = []
for _ in range(2):
    @scorer("mine")
    @dataclass
    class Mine(Scorer):
        k: int = 1
        def score(self, seen): ...
    handed.append(own_entries())
cloudpickle.dump(handed, open(sys.argv[1], "wb"))
"""
    for program in (code, HANDED):
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "entries")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "True", "True"]


def test_a_plug_in_that_fails_is_told_at_every_look_and_taken_when_mended(package: Package, tmp_path: Path) -> None:
    whole = "import sys; sys.modules['the_registry']('{0}')(type('{0}', (), {{'__module__': __name__}}))"
    broken = "\nif (__import__('pathlib').Path(__file__).parent / 'broken').exists(): raise OSError('broken')"
    registry = package(a=whole.format("a"), b=whole.format("b") + broken, c=whole.format("c"))
    mark = next(tmp_path.glob("plugins_*")) / "broken"
    mark.touch()
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            list(registry)
    mark.unlink()
    assert list(registry) == ["a", "b", "c"]


def test_parameters_are_checked_without_the_work() -> None:
    registry = toys()
    registry.check("ball", {"size": 5})
    with pytest.raises(BadConfig, match=r"cannot take siez = 5: Unexpected.*did you mean size\? Its parameters: size, colour"):
        registry.check("ball", {"siez": 5})
    with pytest.raises(BadConfig, match=r"size = 0: .*greater than 0"):
        registry.check("ball", {"size": 0})
    with pytest.raises(BadConfig, match="wagons: it has to be given"):
        registry.check("train")
    with pytest.raises(BadConfig, match="no toy is called"):
        registry.check("bal")


@pytest.mark.parametrize(("kind", "group"), [("scorer", "badood.scorers"), ("case family", "badood.case_families")])
def test_the_group_of_entry_points_is_the_plural(kind: str, group: str) -> None:
    assert Registry(kind, "badood").group == group
