"""Tables of the filter experiment."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from badood.benchmark.filter_experiment import STRATEGIES, against_none, markdown, run_experiment, summary, write
from badood.benchmark.seeded import FIGURES
from badood.benchmark.seeds import measured, missing, plain
from badood.config import load_config
from badood.core.errors import BadInput

AUROC = {
    "none": [0.70, 0.72, 0.71],
    "real": [0.90, 0.91, 0.92],
    "all": [0.80, 0.80, 0.80],
    "random": [0.80, 0.82, 0.81],
    "high": [0.81, 0.80, 0.82],
    "mid": [0.85, np.nan, np.nan],
    "20 % less, random": [0.80, 0.81, 0.82],
    "20 % less, harm": [0.82, 0.83, 0.84],
}
ROWS = pd.DataFrame(
    {
        "seed": seed,
        "row": row,
        "kept": 0 if np.isnan(values[seed]) else 30,
        "overlap": np.nan if row in ("none", "real") else 0.25,
        **dict.fromkeys(FIGURES, values[seed]),
        "fpr95": 1 - values[seed],
    }
    for seed in range(3)
    for row, values in AUROC.items()
)
FACTS = pd.DataFrame(
    {
        "seed": range(3),
        "count": 30,
        "outliers": [[0.0, 0.1, 0.2], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]],
        "validation": [[0.5, 0.7, 0.9]] * 3,
        "lds": [0.9, 0.95, 1.0],
        "harm_confidence": [0.1, 0.2, 0.3],
        **{f"removed {kind}": 0.5 for kind in ("OOD-I", "OOD-II", "OOD-III")},
    }
)


def test_differences_are_paired_by_seed_and_held_against_as_many() -> None:
    table = summary(ROWS).set_index("row")
    assert table["less auroc"]["none"].mean == pytest.approx(-0.1)
    # each seed's difference is -0.10, so that the interval has no width, however the seeds differ
    assert (table["less auroc"]["none"].lo, table["less auroc"]["none"].hi) == pytest.approx((-0.1, -0.1))
    assert table["less auroc"]["20 % less, harm"].mean == pytest.approx(0.02)
    assert not table["less auroc"]["high"].told_apart
    assert table["less auroc"]["all"] is None
    assert table["less auroc"]["random"] is None
    assert table["seeds"].to_dict()["mid"] == 1


def test_what_outliers_do_is_held_against_none_at_all() -> None:
    found = against_none(ROWS)
    assert list(found) == ["real", "all", "random"], "rows that were not measured are left out"
    fpr95, auroc = found["all"]
    assert (fpr95.mean, auroc.mean) == pytest.approx((-0.09, 0.09))
    assert fpr95.told_apart
    assert auroc.lo < 0.09 < auroc.hi
    assert "| real | -20.00 (" in markdown(ROWS, FACTS)
    assert against_none(ROWS[ROWS["row"] != "none"]) == {}
    assert set(STRATEGIES) >= {"high", "mid", "low", "q-mid", "auto", "least-harm", "random"}


def test_the_page_says_what_can_be_told_apart() -> None:
    text = markdown(ROWS, FACTS)
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in text.split("\n\n")[0].splitlines()}
    assert rows["none"][6] == "-10.00 (-10.00 to -10.00), worse"
    assert rows["none"][4] == "+10.00 (+10.00 to +10.00), worse", "a higher FPR95 is worse"
    assert rows["real"][6].endswith("better")
    assert rows["high"][6].endswith("not distinguishable")
    assert rows["mid"][:2] == ["1", "10"]
    assert rows["mid"][6] == "+5.00, one seed"
    assert rows["all"][6] == ""
    assert "outliers 0.100 / 0.200 / 0.300, ID validation 0.500 / 0.700 / 0.900" in text
    assert "harm and id_confidence: 0.20 (-0.05 to 0.45)" in text
    assert "OOD-I 50.00 (50.00 to 50.00) %" in text


def test_files_are_named_after_preset_and_variant(tmp_path: Path) -> None:
    path = write(load_config("miniworld"), ROWS, FACTS, "variant", tmp_path)
    assert path.name == "filters-miniworld-variant.md"
    assert path.read_text().startswith("Preset miniworld, 3 seeds")
    content = json.loads(path.with_suffix(".json").read_text())
    assert (len(content["rows"]), len(content["facts"])) == (24, 3)
    picture = path.with_suffix(".svg").read_text()
    assert "<svg" in picture
    write(load_config("miniworld"), ROWS, FACTS, "variant", tmp_path)
    assert path.with_suffix(".svg").read_text() == picture, "no date, no random ids"


def test_seeds_of_the_same_settings_and_weights_are_kept(tmp_path: Path) -> None:
    energy = "calibrate.score=energy"
    cfg = load_config("miniworld", [energy])
    path = write(cfg, ROWS, FACTS, folder=tmp_path).with_suffix(".json")
    kept = measured(path, cfg)
    assert markdown(kept["rows"], kept["facts"]) == markdown(ROWS, FACTS), "what is not a number included"
    assert missing(5, kept["rows"], kept["facts"]) == [3, 4]
    assert missing(3, kept["rows"], kept["facts"][kept["facts"]["seed"] > 0]) == [0], "cut off between the two"
    assert run_experiment(cfg, 3, folder=tmp_path) == path.with_suffix(".md"), "nothing is left to measure"
    assert measured(path, load_config("miniworld", [energy, "detector.beta=0.5"])) == {}
    assert measured(path, load_config("miniworld", [energy, "evaluate.scorers=[]"])), "baseline scorers have no part in it"
    assert plain(load_config("miniworld", ["calibrate.score=auto"])).evaluate.scorers, "unless one of them is going to be calibrated"
    assert missing(2, pd.DataFrame()) == [0, 1]
    path.write_text("[]")
    with pytest.raises(BadInput, match="holds no experiment's results"):
        measured(path, cfg)
