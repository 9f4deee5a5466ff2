"""Tables of the paper: what they say of rows, that they grow and go on, and that each can be made."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from badood.benchmark.listing import listed
from badood.benchmark.pages import flat, markdown, quoted, summary
from badood.benchmark.reproduce import reproduce, reproduce_all
from badood.benchmark.seeded import Seeded
from badood.benchmark.table import AUROC, FPR95, KEPT, OF_A_SET, Column, Row, Table, table
from badood.benchmark.tables.table5 import Table5
from badood.benchmark.variants import alone
from badood.benchmark.wanted import Wanted
from badood.calibrate import calibrator
from badood.cli import app
from badood.config import Config, Outliers, load_config
from badood.core.artefacts import read_json
from badood.core.errors import BadConfig, BadInput
from badood.detect.scorers import scorer
from badood.pipeline.train import train_model


class Toy(Table):
    """Two ways, one held against the other."""

    title: ClassVar = "Toy"
    source: ClassVar = "No paper"
    columns: ClassVar = (KEPT, FPR95, AUROC, Column("seconds", "s", percent=False))
    of_a_set: ClassVar = OF_A_SET
    paper: ClassVar = "row,way,FPR95,AUROC\nold,Old way,39.69,91.7\n,Other,1.0,2.0\n\nrow,second\n,table\n"

    def measure(self, at: Seeded, part: str) -> list[Row]:
        return [{"row": part, "kept": 10, "fpr95": 0.5, "auroc": 0.1 * at.seed}]

    def foil(self, row: str) -> str:
        return "old" if row in ("new", "same") else ""


ROWS = pd.DataFrame(
    {
        "seed": seed,
        "row": row,
        "kept": 1234,
        "fpr95": fpr,
        "auroc": auroc,
        "seconds": 2 * fpr,
        "auroc near": auroc,
        "fpr95 near": fpr,
        "note": note,
    }
    for seed in range(3)
    for row, fpr, auroc, note in [
        ("old", 0.40 + seed / 100, 0.80, None),
        ("new", 0.30 + seed / 100, 0.85 + seed / 1000, None),
        ("same", 0.40 + (seed - 1) / 10, 0.80 + (seed - 1) / 10, None),
        ("empty", np.nan, np.nan, "keeps nothing"),
    ]
)


def cells(text: str) -> dict[str, list[str]]:
    """The rows of the first table of a page."""
    lines = [line for line in text.split("\n\n")[0].splitlines() if line.startswith("|")]
    return {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines}


def test_differences_are_paired_and_say_what_can_be_told_apart() -> None:
    rows = cells(markdown(Toy(), ROWS))
    assert rows[""][:7] == ["seeds", "outliers", "FPR95 ↓", "difference", "AUROC ↑", "difference", "s"]
    assert rows["new"][3] == "-10.00 (-10.00 to -10.00), better"
    assert rows["new"][5].endswith("better")
    assert rows["same"][5].endswith("not distinguishable")
    assert rows["old"][1:4] == ["1,234", "41.00", ""]
    assert rows["empty"][:3] == ["0", "1,234", "–"], "seeds with figures"
    assert "- empty: keeps nothing" in markdown(Toy(), ROWS)


def test_the_papers_figures_stand_beside_ours_as_printed() -> None:
    rows = cells(markdown(Toy(), ROWS))
    assert rows[""][-2:] == ["FPR95 ↓, paper", "AUROC ↑, paper"]
    assert rows["old"][-2:] == ["39.69", "91.7"]
    assert rows["new"][-2:] == ["", ""]
    assert "| Other | 1.0 | 2.0 |" in quoted(Toy())
    assert "| table |" in quoted(Toy())


def test_sets_have_columns_of_their_own() -> None:
    assert "AUROC ↑, near" in cells(markdown(Toy(), ROWS))[""]
    plain = flat(Toy(), ROWS).set_index("row")
    assert plain.loc["new", "less_fpr95_hi"] == pytest.approx(-0.1)
    assert plain.loc["old", "auroc near"] == pytest.approx(0.8)


def test_one_seed_has_no_interval() -> None:
    rows = cells(markdown(Toy(), ROWS[ROWS["seed"] == 0]))
    assert rows["new"][3] == "-10.00, one seed"
    assert np.isnan(summary(Toy(), ROWS[ROWS["seed"] == 0]).set_index("row").loc["new", "less auroc"].lo)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, type[Table]], None]]:
    """Registers a table for one test."""
    len(table)  # all of the folder are there first
    monkeypatch.setattr(table, "_entries", dict(table._entries))
    return lambda name, made: table(name)(made) and None


class Cut(Toy):
    """Three parts, of which the second is cut off the first time."""

    asked: ClassVar[list[tuple[str, int]]] = []

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        return dict.fromkeys(("old", "new", "same"), cfg)

    def measure(self, at: Seeded, part: str) -> list[Row]:
        self.asked.append((part, at.seed))
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        return super().measure(at, part)


def test_a_table_that_was_cut_off_goes_on_and_grows_by_seeds(tiny: str, tmp_path: Path, registered: Callable[..., None]) -> None:
    registered("cut", Cut)
    Cut.asked.clear()
    with pytest.raises(KeyboardInterrupt):
        reproduce("cut", Wanted(tiny, seeds=1), folder=tmp_path)
    assert len(json.loads((tmp_path / "cut-tiny.json").read_text())["rows"]) == 1
    path = reproduce("cut", Wanted(tiny, seeds=1), folder=tmp_path)
    reproduce("cut", Wanted(tiny, seeds=2), folder=tmp_path)
    assert Cut.asked == [("old", 0), ("new", 0), ("new", 0), ("same", 0), ("old", 1), ("new", 1), ("same", 1)]
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {f"cut-tiny.{kind}" for kind in ("md", "csv", "json", "svg")}
    reproduce("cut", Wanted(tiny, seeds=2), folder=tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before, "nothing is measured, the files are the same"
    assert f"Preset tiny, detector seeds 0, 1: `badood benchmark cut --preset {tiny} --seeds 2`" in path.read_text()
    assert "paper's own figures" in path.read_text()
    reproduce("cut", Wanted(tiny, seeds=1, settings=("detector.beta=0.5",)), folder=tmp_path)
    assert len(Cut.asked) == 10, "of other settings all is measured anew"
    path.with_suffix(".json").write_text("[]")
    with pytest.raises(BadInput, match="holds no benchmark's results; move it away"):
        reproduce("cut", Wanted(tiny), folder=tmp_path)


class Lacking(Toy):
    """A part whose files are missing, beside one that can be made, and one that ends with an error."""

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        gone = Outliers(name="gone", source="imported", params={"path": "/nowhere"})
        return {"old": cfg, "gone": alone(cfg, gone), "broken": cfg}

    def measure(self, at: Seeded, part: str) -> list[Row]:
        if part == "broken":
            raise BadInput("it cannot be done")
        return super().measure(at, part)


def test_what_is_missing_is_told_and_the_rest_is_made(tiny: str, tmp_path: Path, registered: Callable[..., None]) -> None:
    registered("lacking", Lacking)
    missing = "data.ood.1={name: away, dataset: svhn, path: /nowhere, split: test}"
    text = reproduce("lacking", Wanted(tiny, seeds=1, settings=(missing,)), folder=tmp_path).read_text()
    assert "- gone: " in text
    assert "/nowhere" in text
    assert "- broken, seed 0: it cannot be done" in text
    assert "- away: " in text
    assert "train_32x32.mat" in text or "test_32x32.mat" in text
    assert "| old | 1 |" in text


def test_nothing_left_is_an_error(tiny: str, tmp_path: Path, registered: Callable[..., None]) -> None:
    class Hopeless(Lacking):
        def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
            return {"broken": cfg}

    registered("hopeless", Hopeless)
    with pytest.raises(BadInput, match="nothing of hopeless could be measured: broken, seed 0: it cannot be done"):
        reproduce("hopeless", Wanted(tiny), folder=tmp_path)


def test_unknown_names_are_told(tiny: str) -> None:
    with pytest.raises(BadConfig, match="no table is called 'tabel2'; did you mean table2"):
        reproduce("tabel2", Wanted(tiny))
    with pytest.raises(BadConfig, match="no preset 'cifar'"):
        reproduce_all(Wanted("cifar"))


def test_calibrators_and_types_are_measured(tiny: str, tmp_path: Path) -> None:
    path = reproduce("table5", Wanted(tiny, seeds=1), folder=tmp_path)
    rows = pd.read_csv(path.with_suffix(".csv")).set_index("row")
    assert set(rows.index) == {*calibrator, "random", "raw"}
    assert rows.loc["beta", "brier"] < rows.loc["raw", "brier"], "calibration is for this"
    assert (rows.loc[["beta", "platt"], "kept"] == rows.loc["random", "kept"]).all(), "at equal numbers"
    assert "| Beta calibration | 26.25 | 95.53 |" in quoted(Table5())
    types = list(csv.DictReader(reproduce("table3", Wanted(tiny, seeds=1), folder=tmp_path).with_suffix(".csv").open()))
    assert [row["row"] for row in types] == ["OOD-I", "OOD-II", "OOD-III", "all types"]
    assert sum(float(row["before"]) for row in types[:3]) == float(types[3]["before"]) == 48


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(table) - {"fig4b"}))
def test_every_table_is_made(name: str, tiny: str, tmp_path: Path) -> None:
    made = table.make(name)
    wanted = Wanted(tiny, seeds=1)
    if made.needs(wanted.config(), wanted):
        pytest.skip("needs files")
    path = reproduce(name, wanted, folder=tmp_path)
    assert path.with_suffix(made.picture).stat().st_size > 0
    assert len(pd.read_csv(path.with_suffix(".csv"))) > 1


@pytest.mark.slow
def test_generators_decode_the_same_embeddings(tiny: str, tmp_path: Path) -> None:
    short = {"dit": ("width=32", "depth=1", "heads=2"), "ldm": ("channels=16",)}
    settings = tuple(
        f"{model}.{entry}" for model, sizes in short.items() for entry in (*sizes, "epochs=2", f"weights={tmp_path}/{model}.safetensors")
    )
    cfg = load_config(tiny, settings)
    for model in ("dit", "ldm"):
        train_model(cfg, model)
        assert read_json(tmp_path / f"{model}.json").keys() >= {"encoder", "tokenizer"}
    # a band that keeps outliers of each, whatever so hardly trained a generator makes
    path = reproduce("fig4b", Wanted(tiny, seeds=1, settings=(*settings, "filter.lo=0", "filter.hi=1")), folder=tmp_path)
    rows = pd.read_csv(path.with_suffix(".csv")).set_index("row")
    assert list(rows.index) == ["MAGE", "DiT", "LDM"]
    assert rows.loc["MAGE", "class_kept"] > rows.loc["DiT", "class_kept"], "which has hardly been trained"
    assert (rows["kept"] == rows.loc["MAGE", "kept"]).all()
    assert "rdm-conditional.safetensors" in path.read_text(), "what is missing is told"


def test_all_that_can_be_used_is_listed_with_its_state(tiny: str) -> None:
    found = {(entry.kind, entry.name): entry for entry in listed(Wanted(tiny, settings=("weights=/nowhere", "clip.weights=null")))}
    assert {name for kind, name in found if kind == "scorer"} == set(scorer)
    assert {name for kind, name in found if kind == "table or figure"} == set(table)
    assert found["scorer", "knn"].state == "works here"
    assert found["synthesiser", "minority"].needs.startswith("weights of encoder: /nowhere")
    assert "path" in found["outlier source", "imported"].needs
    assert found["OOD set", "near"].state == "works here"
    assert "64 MB" in found["OOD set", "svhn"].state
    assert found["table or figure", "table2"].state.startswith("needs files: weights are missing")


def test_the_command_lists_and_says_what_it_needs(tiny: str) -> None:
    told = CliRunner().invoke(app, ["benchmark", "--list", "--json", "--preset", tiny])
    assert {entry["kind"] for entry in json.loads(told.stdout)} >= {"scorer", "calibrator", "OOD set", "backbone family"}
    plain = CliRunner().invoke(app, ["benchmark", "--list", "--preset", tiny]).stdout
    assert "  table2 " in plain
    assert "works here" in plain
    assert isinstance(CliRunner().invoke(app, ["benchmark"]).exception, BadConfig)
