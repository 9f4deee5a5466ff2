"""The notebooks as they are stored: whole, light, read without a kernel, and written against the public interface alone. `make test` runs them, too."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import badood
from badood.config import CHECKOUT
from badood.explore import notebook

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
COMMON = {"numpy", "pandas", "plotly", "PIL", "pydantic", "scipy", "sklearn", "timm", "torch"}
"""Libraries that a reader knows; all are installed with badood."""
HEAVIEST = 3 * 2**20
PLUG_IN_LINES = 20
WIDEST = 100
"""Characters of a line of code; longer ones are cut where a page does not scroll."""
PATHS = re.compile(r"(?<![\w.)}/:])/(?:home|root|tmp|var|opt|mnt|usr|work|workspace|Users|private)/\w")
EXERCISES = re.compile(r"\*\*(\d)\.\*\* .+?\n<details><summary>Answer</summary>\n\n.+?\n</details>", re.DOTALL)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The cells of a notebook, one notebook after the other."""
    content: dict[str, list[dict[str, Any]]] = json.loads(request.param.read_text())
    return content["cells"]


def code(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def parsed(cells: list[dict[str, Any]]) -> Iterator[ast.AST]:
    """Every node of a notebook's code."""
    for cell in code(cells):
        yield from ast.walk(ast.parse("".join(cell["source"])))


def words(cells: list[dict[str, Any]]) -> Iterator[str]:
    """All texts that a reader may see, pictures aside."""
    for cell in cells:
        yield "".join(cell["source"])
        for output in cell.get("outputs", []):
            yield json.dumps({kind: data for kind, data in output.get("data", {}).items() if not kind.startswith("image/")})
            yield "".join(output.get("text", ""))


def test_there_are_eight_in_order_and_each_is_light() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(1, 9)]
    for path in NOTEBOOKS:
        assert path.stat().st_size <= HEAVIEST, path.name


def test_it_ends_with_three_exercises_and_folded_answers(cells: list[dict[str, Any]]) -> None:
    last = "".join(cells[-1]["source"])
    assert cells[-1]["cell_type"] == "markdown"
    exercises = last.partition("## Exercises\n")[2]
    assert EXERCISES.findall(exercises) == ["1", "2", "3"]
    assert exercises.rstrip().endswith("</details>")


def test_every_cell_was_run_once_in_order_and_without_error_or_warning(cells: list[dict[str, Any]]) -> None:
    assert [cell["execution_count"] for cell in code(cells)] == list(range(1, len(code(cells)) + 1))
    for output in (output for cell in code(cells) for output in cell["outputs"]):
        assert output["output_type"] != "error", output["evalue"]
        assert output.get("name") != "stderr", output["text"]


def test_what_a_cell_ends_with_is_stored(cells: list[dict[str, Any]]) -> None:
    shows = [cell for cell in code(cells) if isinstance(ast.parse("".join(cell["source"])).body[-1], ast.Expr)]
    assert len(shows) >= 5
    for cell in shows:
        silent = re.search(r"^(torch|.*\.save)\(", "".join(cell["source"]).splitlines()[-1])
        assert cell["outputs"] or silent, "".join(cell["source"])
    assert sum("image/png" in output.get("data", {}) for cell in shows for output in cell["outputs"]) >= 2


def test_it_reads_without_a_network(cells: list[dict[str, Any]]) -> None:
    for cell in code(cells):
        for output in cell["outputs"]:
            assert not {"application/vnd.plotly.v1+json", "application/javascript"} & output.get("data", {}).keys()
            assert "<script" not in "".join(output.get("data", {}).get("text/html", ""))


def test_it_names_no_place_of_the_machine_that_ran_it(cells: list[dict[str, Any]]) -> None:
    for text in words(cells):
        assert not PATHS.search(text), PATHS.search(text)


def test_it_uses_the_public_interface_and_common_libraries_alone(cells: list[dict[str, Any]]) -> None:
    for node in parsed(cells):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            assert all(name == "badood" or name.split(".")[0] in COMMON | sys.stdlib_module_names for name in names), names
        elif isinstance(node, ast.ImportFrom) and node.module == "badood.explore.notebook":
            assert all(hasattr(notebook, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] in COMMON | sys.stdlib_module_names, node.module
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "badood":
            assert node.attr in badood.__all__, node.attr


def test_code_fits_on_the_page(cells: list[dict[str, Any]]) -> None:
    for cell in code(cells):
        assert max(map(len, "".join(cell["source"]).splitlines())) <= WIDEST


def test_plug_ins_are_short(cells: list[dict[str, Any]]) -> None:
    for cell in code(cells):
        for node in ast.parse("".join(cell["source"])).body:
            if isinstance(node, ast.ClassDef):
                lines = "".join(cell["source"]).splitlines()[node.decorator_list[0].lineno - 1 : node.end_lineno]
                assert len([line for line in lines if line.strip()]) <= PLUG_IN_LINES, node.name


def test_links_lead_somewhere(cells: list[dict[str, Any]]) -> None:
    for cell in cells:
        for target in re.findall(
            r"\]\((?!http)([^)#\s]+)(?:#[\w-]*)?\)", "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
        ):
            assert (CHECKOUT / "notebooks" / Path(target)).exists(), target
