"""What the docs say is so: every example of docs/adding.md runs, all of them together in one small run; pages are linked and complete."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import table
from badood.calibrate import calibrator
from badood.config import CHECKOUT, load_config
from badood.core.artefacts import home
from badood.core.progress import Silent
from badood.data import dataset
from badood.detect.backbones.base import backbone
from badood.detect.scorers import scorer
from badood.jobs.kinds import job_kind
from badood.outliers import outlier_source
from badood.pipeline.path import run
from badood.pipeline.runs import Run
from badood.synthesise import synthesiser

REGISTRIES = (backbone, calibrator, dataset, job_kind, outlier_source, scorer, synthesiser, table)
ADDING = (CHECKOUT / "docs" / "adding.md").read_text()
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def example(heading: str) -> str:
    """The first Python example below a heading."""
    return re.search(rf"^## {heading}\n.*?```python\n(.*?)```", ADDING, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]


KINDS = re.findall(r"^## (An? .+)$", ADDING, re.MULTILINE)


@pytest.fixture(scope="module")
def defined() -> Iterator[dict[str, Any]]:
    """What the examples define, as if a notebook's cells had; registered for the tests of this file only."""
    before = [(registry, {name: registry[name] for name in registry}) for registry in REGISTRIES]
    names: dict[str, Any] = {"__name__": "__main__"}
    for kind in KINDS:
        if kind != "A dashboard page":
            exec(compile(example(kind), kind, "exec"), names)
    yield names
    for registry, entries in before:
        registry._entries = entries


@pytest.fixture(scope="module")
def made(defined: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with a data set, a synthesiser, a source, a backbone, a scorer, a calibrator and an engine of the examples."""
    threads = torch.get_num_threads()
    settings = [
        "data.train.params.count=60",
        "data.test.params.count=20",
        "data.validation_share=0.3",
        "data.auxiliary=[{name: auxiliary, dataset: noise, params: {count: 16}}]",
        "data.ood=[{name: gradients, dataset: gradients, split: test, params: {count: 12}}]",
        "data.grid=null",
        "outliers=[{name: shaken, params: {method: shaken, scales: [1.0], params: {}}, count: 10}, {name: stripes, source: stripes, count: 30}]",
        "decode.steps=2",
        "decode.draws=1",
        "detector.backbone=plain16",
        "detector.backbone_params={}",
        "detector.epochs=12",
        "detector.batch_size=16",
        "detector.beta=1",
        "detector.rebuilt_share=0",
        "calibrate.method=ranks",
        "evaluate.filters=[all]",
        "evaluate.scorers=[margin]",
        "filter.strategy=all",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BADOOD_HOME", str(tmp_path_factory.mktemp("docs")))
        yield run(load_config("miniworld", settings), "docs", engine=defined["Pool"])
    torch.set_num_threads(threads)


def test_the_table_measures_its_rows(defined: dict[str, Any], made: Run) -> None:
    rows = table.make("help").measure(Seeded.of(made, made.cfg, 0), "")
    assert [row["row"] for row in rows] == ["none", "real", "all"]
    assert all(0 <= row["auroc"] <= 1 for row in rows)


def test_every_kind_of_the_table_that_is_a_class_or_function_of_its_own_has_an_example() -> None:
    linked = re.findall(r"^\| \[([\w ]+)\]\(#([\w-]+)\) \|", ADDING, re.MULTILINE)
    assert sorted(anchor for _, anchor in linked) == sorted(kind.lower().replace(" ", "-") for kind in KINDS)
    assert len(KINDS) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_short(kind: str) -> None:
    lines = [line for line in example(kind).splitlines() if line.strip()]
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 140


def test_folders_and_entry_points_of_the_table_are_those_of_the_registries() -> None:
    rows = re.findall(r"^\| .*? \| `(badood/[\w/]+)/NAME\.py` \| .*? \| `(badood\.\w+)` \|$", ADDING, re.MULTILINE)
    assert sorted(rows) == sorted((registry.folder.replace(".", "/"), registry.group) for registry in REGISTRIES)


@pytest.mark.slow
def test_the_examples_work_together_in_a_run(made: Run) -> None:
    assert set(made.rows) == {"all"}
    row = made.rows["all"]
    assert row.kept == 40
    assert row.sources == {"shaken": 10, "stripes": 30}
    assert set(row.per_set) == {"gradients"}
    assert set(row.scorers) == {"margin"}
    assert made.record["config"]["calibrate"]["method"] == "ranks"


@pytest.mark.slow
def test_the_job_and_the_page_of_the_examples_show_the_run(made: Run, defined: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADOOD_HOME", str(made.folder.parent))
    report = home() / "report.html"
    assert job_kind["report"]({"run": made.id, "path": str(report)}, Silent()) == {"written": str(report)}
    assert "<html" in report.read_text()
    view = ModuleType("example_page")
    exec(compile(example("A dashboard page"), "page", "exec"), view.__dict__)
    monkeypatch.setitem(sys.modules, "example_page", view)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # AppTest puts its script there
    page = AppTest.from_string("import example_page\nexample_page.page()", default_timeout=60).run()
    assert not page.exception
    assert page.title[0].value == "Classes"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[\w-]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    for anchor in re.findall(r"\]\(#([\w-]+)\)", text):
        assert anchor in headings, f"{page.name} links to #{anchor}"


def test_readme_links_every_page_and_names_every_notebook() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    for page in PAGES[1:]:
        assert page.name == "index.md" or f"docs/{page.name}" in readme, page.name
    for notebook in sorted((CHECKOUT / "notebooks").glob("*.ipynb")):
        assert f"`{notebook.stem}`" in readme, notebook.stem


def test_every_command_of_the_docs_has_options_that_there_are() -> None:
    known = (CHECKOUT / "docs" / "command-line.md").read_text()
    commands = dict(re.findall(r"^### `badood ([a-z-]+(?: [a-z]+)?)[^`]*`\n(.*?)(?=^### |\Z)", known, re.MULTILINE | re.DOTALL))
    for page in PAGES:
        for line in re.findall(
            r"^(?:\S*python -m )?badood (.+)$", "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)), re.MULTILINE
        ):
            words = line.split("#")[0].split()
            name = next((name for name in (" ".join(words[:2]), words[0]) if name in commands), None)
            assert name, f"{page.name}: no command {' '.join(words[:2])}"
            options = set(re.findall(r"--[a-z-]+", commands[name]))
            for option in re.findall(r"(?<=\s)--[a-z-]+", line.split("   #")[0]):
                assert option in options, f"{page.name}: {name} has no {option}"


@pytest.mark.parametrize("name", ["adding", "outliers", "own-images"])
def test_settings_of_the_docs_are_valid(name: str, tmp_path: Path, defined: dict[str, Any]) -> None:
    page = (CHECKOUT / "docs" / f"{name}.md").read_text()
    for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        preset = tmp_path / "preset.yaml"
        preset.write_text(text if "base:" in text else f"base: cifar10\npreset: mine\n{text}")
        cfg = load_config(str(preset))
        for entry in cfg.outliers:
            outlier_source[entry.source].of(cfg, entry)
    for override in re.findall(r"--set '([^']+)'", page):
        load_config("miniworld", [override])
