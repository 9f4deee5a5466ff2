"""Tables by OpenOOD's protocols: which sets are near, far or shifted, and what is missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from badood.benchmark.class_choice import alike, class_means
from badood.benchmark.reproduce import reproduce
from badood.benchmark.seeded import Seeded
from badood.benchmark.tables.table10 import Table10
from badood.benchmark.tables.table11 import Table11
from badood.benchmark.wanted import Wanted
from badood.config import Config, NamedSource, load_config
from badood.core.errors import BadInput
from badood.data.sets.part import part
from badood.pipeline.runs import Run
from tests.data.test_openood import listing

LEVEL = {"id": 0.0, "near: tin": 0.5, "far: svhn": 2.0, "shifted: cifar10c": 1.0}
SCORES = pd.DataFrame({"set": name, "log_odds": level + number / 100} for name, level in LEVEL.items() for number in range(20))


def with_sets(cfg: Config) -> Config:
    sets = [NamedSource(name=name, dataset="noise", params={"count": 4}) for name in LEVEL if name != "id"]
    return cfg.model_copy(update={"data": cfg.data.model_copy(update={"ood": sets})})


def test_shifted_images_count_as_id_in_the_full_spectrum(tmp_path: Path) -> None:
    at = Seeded(Run(tmp_path, with_sets(load_config("miniworld"))), 0)
    row = Table10().figures(at, SCORES, "log_odds")
    assert (row["near_auroc"], row["far_auroc"], row["auroc near: tin"]) == (1.0, 1.0, 1.0)
    full = Table11().figures(at, SCORES, "log_odds")
    assert full["near_auroc"] == pytest.approx(0.5), "the shifted ID images look more OOD than these"
    assert full["far_auroc"] == 1.0
    assert "auroc shifted: cifar10c" not in full


def test_what_is_there_is_measured_and_what_is_missing_is_said(tiny: str, tmp_path: Path) -> None:
    listing(tmp_path / "root", "cifar10/test_tin.txt", [f"tin/{number}.png -1" for number in range(12)])
    listing(tmp_path / "root", "cifar10/test_svhn.txt", [f"svhn/{number}.png -1" for number in range(12)])
    wanted = Wanted(tiny, seeds=1, root=str(tmp_path / "root"), protocol="cifar10")
    text = reproduce("table10", wanted, folder=tmp_path / "out").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| minority | 1 |"))
    assert "–" not in row
    assert "AUROC ↑, near: tin" in text
    assert "- mnist: mnist needs" in text
    assert "- cifar10-test: " in text
    assert f"--root {tmp_path / 'root'} --id cifar10" in text
    with pytest.raises(BadInput, match=r"table10 needs files: .*mnist"):
        reproduce("table10", Wanted(tiny, root=str(tmp_path / "nowhere"), protocol="cifar10"), folder=tmp_path)
    with pytest.raises(BadInput, match=r"no protocol 'tiny'"):
        reproduce("openood", Wanted(tiny), folder=tmp_path)


def test_classes_are_chosen_by_their_embeddings() -> None:
    z0 = np.array([[1, 0, 0], [1, 0, 0], [0.98, 0.199, 0], [0.98, 0.199, 0], [0, 0, 1], [0, 1, 0]], dtype=np.float32)
    means, spread = class_means(z0, np.array([0, 0, 1, 1, 2, 2]))
    assert sorted(alike(means, 2).tolist()) == [0, 1]
    assert spread.argmax() == 2
    assert spread[0] == pytest.approx(0, abs=1e-6)


def test_a_part_of_a_set_has_its_classes_in_order_and_loses_images() -> None:
    params = {"classes": "id", "count": 100}
    whole = part(None, "train", of="miniworld", params=params)
    few = part(None, "train", of="miniworld", params=params, classes=["jeep", "candle"])
    assert few.classes == ("jeep", "candle")
    assert few.labels.tolist().count(0) == few.labels.tolist().count(1) == 10
    assert whole.classes[whole.labels[whole.ids.index(few.ids[0])]] == few.classes[few.labels[0]]
    thin = part(None, "train", of="miniworld", params=params, thinned=0.9)
    counts = pd.Series(thin.labels).value_counts()
    assert set(counts.index) == set(range(10)), "no class is lost"
    assert counts.max() > counts.min()
    assert part(None, "train", of="miniworld", params=params, thinned=0.9).ids == thin.ids
    with pytest.raises(BadInput, match="has no class car; it has"):
        part(None, "train", of="miniworld", params=params, classes=["car"])
    with pytest.raises(BadInput, match="thinned = 1"):
        part(None, "train", of="miniworld", params=params, thinned=1.0)
