"""The order of the path is the same wherever it is written, no module imports in a circle, and every module can be imported."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import badood
from badood.config import CHECKOUT, Config, preset_names

PATH = ["data", "encode", "synthesise", "decode", "outliers", "detect", "calibrate", "filter", "evaluate", "explore"]
SECTIONS = ["data", "encoder", "outliers", "synthesise", "decode", "detector", "calibrate", "filter", "evaluate"]
RUNS_WHEN_IMPORTED = ("__main__", "migrations.env", "app.main", "app.menu")
A_SCREENFUL_OF_IDEAS = 260
"""Lines of a module of the path, at most; about 200 is what a reader takes in."""


def parts() -> set[str]:
    """Names of the library's folders and modules."""
    return {path.stem for path in (CHECKOUT / "badood").iterdir() if path.suffix in ("", ".py") and not path.name.startswith(("_", "."))}


def test_the_path_is_told_in_one_order() -> None:
    said = re.search(r"path's order: ([\w, ]+)\.", badood.__doc__ or "")
    assert said
    assert said[1].split(", ") == PATH
    rows = re.findall(r"^\| `badood/(\w+)(?:\.py)?` \| (\d+)", (CHECKOUT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert rows == [(name, str(place)) for place, name in enumerate(PATH, start=1)]


def test_the_path_calls_its_stages_in_that_order() -> None:
    """Where `run` comes to a part of the path, in the order in which its stages are called."""
    source = (CHECKOUT / "badood" / "pipeline" / "path.py").read_text()
    assert list(re.findall(r"^def (run|find|retrain_all|train_each|make_outliers)\(", source, re.MULTILINE)) == [
        "run",
        "find",
        "retrain_all",
        "train_each",
        "make_outliers",
    ]
    functions = {node.name: ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    whole = (
        functions["run"].replace("find(", functions["find"].replace("make_outliers(", functions["make_outliers"]) + "find(")
        + functions["retrain_all"]
        + functions["train_each"]
    )
    calls = re.findall(r"(?:do|call)\((encode|outliers_of|detect|calibrate|select|evaluate)\b", whole)
    assert list(dict.fromkeys(calls)) == ["encode", "outliers_of", "detect", "calibrate", "select", "evaluate"]


def test_the_table_of_folders_names_every_part_of_the_library() -> None:
    text = (CHECKOUT / "docs" / "architecture.md").read_text()
    missing = sorted(part for part in parts() - {"cli", "presets"} if f"badood/{part}" not in text)
    assert not missing, f"docs/architecture.md's table of folders lacks {', '.join(missing)}"


def test_the_table_of_stages_names_every_stage() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", (CHECKOUT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"\w+", row)}
    missing = sorted(file.stem for file in (CHECKOUT / "badood" / "pipeline" / "stages").glob("[!_]*.py") if file.stem not in named)
    assert not missing, f"docs/architecture.md's table of stages lacks {', '.join(missing)}"


@pytest.mark.parametrize("page", ["README.md", *sorted(str(page.relative_to(CHECKOUT)) for page in (CHECKOUT / "docs").glob("*.md"))])
def test_what_pages_say_of_files_is_there(page: str) -> None:
    named = re.findall(r"`((?:badood|app|tests|docs)/[\w/.]+)`", (CHECKOUT / page).read_text())
    gone = sorted({name for name in named if "NAME" not in name and not (CHECKOUT / name).exists()})
    assert not gone, f"{page} names {', '.join(gone)}"


def test_settings_stand_in_the_paths_order() -> None:
    assert [name for name in Config.model_fields if name in SECTIONS] == SECTIONS


@pytest.mark.parametrize("name", ["badood", "app"])
def test_every_module_imports(name: str) -> None:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        if not module.name.endswith(RUNS_WHEN_IMPORTED):
            importlib.import_module(module.name)


def modules() -> dict[str, Path]:
    """Every module of the library and the dashboard."""
    found = {}
    for package in ("badood", "app"):
        for file in (CHECKOUT / package).rglob("*.py"):
            parts = file.relative_to(CHECKOUT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(name: str, file: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Modules that a module imports: above, inside of functions, but not for the type checker alone."""
    tree = ast.parse(file.read_text())
    of_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    left_out = {id(inner) for node in of_types for each in node.body for inner in ast.walk(each)}
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (entry.name for entry in node.names if entry.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for entry in node.names:
                full = f"{module}.{entry.name}"
                if (target := full if full in known else module) in known:
                    yield target


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules of one circle, in the order in which they import each other; none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_module_imports_in_a_circle() -> None:
    known = modules()
    graph = {name: set(imported(name, file, known)) - {name} for name, file in known.items()}
    assert sum(map(len, graph.values())) > 500
    assert circle(graph) == []


def test_a_circle_would_be_found(tmp_path: Path) -> None:
    for name, text in {"a": "from . import b", "b": "def f():\n    import p.c", "c": "from p import a", "d": "import p.a"}.items():
        (tmp_path / f"{name}.py").write_text(text)
    known = {f"p.{name}": tmp_path / f"{name}.py" for name in "abcd"}
    found = circle({name: set(imported(name, file, known)) for name, file in known.items()})
    assert set(found) == {"p.a", "p.b", "p.c"}


@pytest.mark.parametrize("file", sorted((CHECKOUT / "badood" / "pipeline").rglob("*.py")), ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_a_module_of_the_path_is_a_screenful_of_ideas(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= A_SCREENFUL_OF_IDEAS


def test_the_library_knows_no_interface() -> None:
    code = "import sys, badood.cli, badood.pipeline.path, badood.explore.report, badood.jobs.worker; print('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "False"


def test_the_record_of_a_run_is_read_without_torch() -> None:
    code = "import sys, badood.explore.finished, badood.pipeline.runs, badood.pipeline.recorded, badood.jobs.queue; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "False"


def test_no_file_names_a_device_but_compute() -> None:
    named = re.compile(r"""["']cuda|\.cuda\(|["']mps["']""")
    found = [path for path in (CHECKOUT / "badood").rglob("*.py") if path.name != "compute.py" and named.search(_code(path))]
    assert not found


def test_presets_are_whole_files() -> None:
    for name in preset_names():
        text = (CHECKOUT / "badood" / "presets" / f"{name}.yaml").read_text()
        assert text.startswith("#"), f"{name}: the first line says what the preset is for"
        assert f"preset: {name}\n" in text


def _code(path: Path) -> str:
    """The source without docstrings, which may name devices."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)
