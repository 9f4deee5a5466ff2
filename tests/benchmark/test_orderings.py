"""The paper's orderings are held against what the tables' files say, and nothing else."""

from pathlib import Path

import pytest

from badood.benchmark.orderings import HOLDS, OPEN, ORDERINGS, REVERSED, orderings
from badood.benchmark.table import table
from badood.core.artefacts import read_json, write_json
from badood.core.errors import BadInput


def results(folder: Path, name: str, figures: dict[str, list[float]]) -> None:
    """A table's file with these FPR95 by row, a seed each."""
    rows = [{"part": "", "seed": seed, "row": row, "fpr95": value} for row, values in figures.items() for seed, value in enumerate(values)]
    write_json(folder / f"{name}-miniworld.json", {"command": "", "rows": rows})


def test_orderings_hold_are_reversed_or_cannot_be_told(tmp_path: Path) -> None:
    rows = {
        "mixed mid": [0.20, 0.21, 0.22],
        "mixed random": [0.40, 0.41, 0.425],
        "mixed high": [0.10, 0.11, 0.125],
        "mixed low": [0.10, 0.21, 0.32],
        "mixed ×": [0.3],
    }
    results(tmp_path, "table2", rows)
    page = orderings(tmp_path, "miniworld")
    found = {(row["better"], row["worse"]): row for row in read_json(page.with_suffix(".json"))}
    verdicts = {pair[1]: row["verdict"] for pair, row in found.items() if pair[0] == "mixed mid"}
    assert verdicts == {"mixed random": HOLDS, "mixed high": REVERSED, "mixed low": OPEN, "mixed ×": "one seed"}
    assert found["mixed mid", "mixed random"]["difference"] == pytest.approx(-0.2017, abs=1e-4)
    text = page.read_text()
    assert "39.69 against 53.52" in text
    assert "-20.17 (" in text
    assert "Not made yet: table1, table5, table6, table9." in text


def test_the_lead_over_a_scorer_is_parted_from_the_choice_of_the_score(tmp_path: Path) -> None:
    results(tmp_path, "table1", {"none": [0.12, 0.13], "minority calibrated": [0.10, 0.12], "msp": [0.5, 0.6]})
    page = orderings(tmp_path, "miniworld").read_text()
    assert "Without outliers the same score has FPR95 12.50" in page
    assert "-1.50 (" in page
    assert "| not measured |" in page


def test_without_any_table_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="badood benchmark all"):
        orderings(tmp_path, "miniworld")


def test_every_ordering_is_one_that_the_paper_prints() -> None:
    for each in ORDERINGS:
        papers = {row["row"]: row for part in reversed(table.make(each.table).of_the_paper) for row in part if row["row"]}
        assert float(papers[each.better]["FPR95"]) < float(papers[each.worse]["FPR95"])
