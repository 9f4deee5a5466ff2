"""What the comparison of previews and full retrains says."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from badood.benchmark.preview_experiment import agreements, between_seeds, write
from badood.config import load_config

BANDS = list(combinations(range(7), 2))
TABLE = pd.DataFrame(
    {
        "seed": seed,
        "lo": lo,
        "hi": hi,
        "kept": 10,
        "preview_fpr95": rank,
        "preview_auroc": -rank,
        # the mean over both seeds is the rank again
        "fpr95": rank + (3 if seed else -3) * (-1) ** rank,
        "auroc": rank,
        "validation_auroc": 0.5,
        "auroc textures": -rank,
    }
    for seed in range(2)
    for rank, (lo, hi) in enumerate(BANDS)
)


def test_bands_are_ranked_by_the_mean_over_seeds() -> None:
    found = agreements(TABLE)
    assert found["fpr95"].spearman == pytest.approx(1)
    assert found["auroc"].spearman == pytest.approx(-1)
    assert not found["validation_auroc"].trusted
    assert found["auroc textures"].spearman == pytest.approx(1)
    assert {each.count for each in found.values()} == {21}
    assert between_seeds(TABLE) == pytest.approx([1.0])


def test_figures_stand_in_both_files(tmp_path: Path) -> None:
    path = write(load_config("miniworld"), TABLE, tmp_path)
    text, content = path.read_text(), json.loads(path.with_suffix(".json").read_text())
    assert "21 bands, full retrains with 2 seeds" in text
    assert "AUROC of the retrain on textures | 1.00" in text
    assert content["agreements"]["fpr95"]["spearman"] == pytest.approx(1)
    assert len(content["rows"]) == 42
    assert np.isfinite([row["fpr95"] for row in content["rows"]]).all()
