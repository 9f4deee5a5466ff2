"""Tables of the filter experiment."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from badood.benchmark.filter_experiment import markdown, write
from badood.config import load_config

TABLE = pd.DataFrame(
    {
        "seed": [0, 1, 0, 1, 0, 1],
        "filter": ["all", "all", "mid", "mid", "high", "high"],
        "kept": [600, 600, 30, 0, 0, 0],
        "overlap": [0.1, 0.3, 0.5, np.nan, np.nan, np.nan],
        "outliers": [[0.0, 0.1, 0.2], [0.1, 0.2, 0.3]] * 3,
        "validation": [[0.5, 0.7, 0.9], [0.5, 0.7, 0.9]] * 3,
        **{name: [0.2, 0.4, 0.25, np.nan, np.nan, np.nan] for name in ("fpr95", "auroc", "aupr", "id_accuracy")},
    }
)


def test_rows_say_over_how_many_seeds_they_are() -> None:
    text = markdown(TABLE)
    lines = [line for line in text.splitlines()[2:] if line.startswith("|")]
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines}
    assert list(rows) == ["all", "mid", "high"]
    assert rows["all"][:4] == ["2", "600", "20.00 ± 14.14", "30.00 ± 14.14"]
    assert rows["mid"][:4] == ["1", "15", "50.00", "25.00"]
    assert rows["high"][:4] == ["0", "0", "–", "–"]
    assert "outliers 0.050 / 0.150 / 0.250, ID validation 0.500 / 0.700 / 0.900" in text


def test_files_are_named_after_preset_and_variant(tmp_path: Path) -> None:
    path = write(load_config("miniworld"), TABLE, "variant", tmp_path)
    assert path.name == "filters-miniworld-variant.md"
    assert len(json.loads(path.with_suffix(".json").read_text())) == 6
