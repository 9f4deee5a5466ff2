"""The order of the path is the same wherever it is written, and every module can be imported."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import badood
from badood.config import CHECKOUT, Config, preset_names

PATH = ["data", "encode", "synthesise", "decode", "detect", "calibrate", "filter", "evaluate", "explore"]


def test_the_path_is_told_in_one_order() -> None:
    said = re.search(r"path's order: ([\w, ]+)\.", badood.__doc__ or "")
    assert said
    assert said[1].split(", ") == PATH
    rows = re.findall(r"^\| `badood/(\w+)(?:\.py)?` \| \d", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    assert rows == PATH


def test_readme_names_every_part_of_the_library() -> None:
    parts = {path.stem for path in (CHECKOUT / "badood").iterdir() if path.suffix in ("", ".py") and not path.name.startswith(("_", "."))}
    text = (CHECKOUT / "README.md").read_text()
    missing = sorted(part for part in parts - {"cli", "presets"} if f"badood/{part}" not in text)
    assert not missing, f"README's table of folders lacks {', '.join(missing)}"


def test_settings_stand_in_the_paths_order() -> None:
    sections = [
        name
        for name in Config.model_fields
        if name in ("data", "encoder", "synthesise", "decode", "detector", "calibrate", "filter", "evaluate")
    ]
    assert sections == ["data", "encoder", "synthesise", "decode", "detector", "calibrate", "filter", "evaluate"]


@pytest.mark.parametrize("name", ["badood", "app"])
def test_every_module_imports(name: str) -> None:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        if not module.name.endswith(("__main__", "migrations.env", "app.main", "app.menu")):  # those run when they are imported
            importlib.import_module(module.name)


def test_the_library_knows_no_interface() -> None:
    code = "import sys, badood.cli, badood.pipeline.method, badood.explore.report, badood.jobs.worker; print('streamlit' in sys.modules)"
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
