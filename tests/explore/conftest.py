"""A small table of outliers with known values, in the columns of DESIGN."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from badood.config import Filter, load_config
from badood.core.artefacts import write_json
from badood.evaluate.shift import shift_table
from badood.explore.finished import Finished, finished
from badood.pipeline.filter_rows import FilterRow
from badood.pipeline.runs import start_run
from badood.pipeline.stages.select import keep
from badood.pipeline.stages.table import write_outliers

CLASSES = ("broccoli", "candle", "jeep")
SCALES = (0.025, 0.05, 0.075)


def pixels(value: int) -> NDArray[np.uint8]:
    """A (3, 16, 16) image whose red channel is `value`."""
    return np.broadcast_to(np.array([value % 256, 40, 90], dtype=np.uint8)[:, None, None], (3, 16, 16))


def make_outliers(path: Path, n: int, seed: int = 0) -> Path:
    """n outliers, ids shuffled against the row order, id_confidence uniform on [0, 1)."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(n)
    anchors = ids // len(SCALES)
    confidence = rng.random(n)
    columns = {
        "outlier_id": ids,
        "source": ["minority"] * n,
        "anchor_row": anchors,
        "anchor_id": [f"train/{anchor}" for anchor in anchors],
        "anchor_class": [CLASSES[anchor % len(CLASSES)] for anchor in anchors],
        "synthesiser": ["minority"] * n,
        "guidance_scale": [SCALES[i % len(SCALES)] for i in ids],
        "t": [300] * n,
        "s": [125] * n,
        "seed": [0] * n,
        "minority_score": rng.random(n) + np.array(SCALES)[ids % len(SCALES)] * 10,
        "harm": 10 * confidence - 5,
        "energy": -np.log(confidence + 1e-3),
        "log_odds": -np.log(confidence + 1e-3),
        "raw_score": 1 - confidence,
        "id_confidence": confidence,
        "clip_label": [CLASSES[(i * 7) % len(CLASSES)] for i in ids],
        "clip_prob": rng.random(n),
        "clip_anchor_prob": rng.random(n),
        "ood_type": [("OOD-I", "OOD-II", "OOD-III")[i % 3] for i in rng.integers(0, 3, n)],
    }
    write_outliers(path, pa.table(columns), np.stack([pixels(int(i)) for i in ids]))
    return path


@pytest.fixture(scope="session")
def outliers_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 outliers."""
    return make_outliers(tmp_path_factory.mktemp("run") / "outliers.parquet", 300)


@pytest.fixture
def found(tmp_path: Path) -> Finished:
    """A finished run with known figures: 240 outliers, two evaluated filters and one that kept nothing."""
    rng = np.random.default_rng(1)
    run = start_run(load_config("miniworld"))
    stages = {"encoded": "encode/0", "described": "describe/0", "outliers": "table/0", "calibration": "calibrate/0", "types": "types/0"}
    stages |= {"train": "images/0", "split": "split/0", "ranked": "rank/0", "harm": "harm/0"}
    further = {"evaluate": "evaluate/0", "all": "select/all", "band": "select/band", "source": "outliers/0"}
    folders = {name: run.folder / path for name, path in (stages | further).items()}
    for folder in folders.values():
        folder.mkdir(parents=True)
    write_json(folders["train"] / "set.json", {"content": "abc", "name": "train", "classes": CLASSES, "skipped": []})
    pd.DataFrame({"label": np.arange(80) % 3, "id": [f"train/{row}" for row in range(80)]}).to_parquet(folders["train"] / "rows.parquet")
    np.save(folders["split"] / "train.npy", np.arange(60))
    np.save(folders["encoded"] / "z0.npy", rng.normal(size=(60, 8)).astype(np.float32))
    write_json(folders["source"] / "source.json", {"layout": "images", "skipped": []})
    make_outliers(folders["outliers"] / "outliers.parquet", 240)
    np.save(folders["described"] / "embeddings.npy", rng.normal(size=(240, 8)).astype(np.float32))
    reference = pd.DataFrame({"set": ["validation"] * 101 + ["auxiliary"] * 50, "log_odds": 0.0})
    reference["id_confidence"] = np.r_[np.linspace(0, 1, 101), np.full(50, 0.1)]
    reference.to_parquet(folders["calibration"] / "reference.parquet")
    write_json(folders["ranked"] / "ranked.json", [{"entry": "energy", "name": "energy", "fpr95": 0.5, "auroc": 0.9, "aupr": 0.9}])
    pd.DataFrame({"harm": np.zeros(240), "gradient_anomaly": np.zeros(240)}).to_parquet(folders["harm"] / "outliers.parquet")
    write_json(folders["harm"] / "agreement.json", {"spearman": 0.8, "lo": 0.6, "hi": 0.9, "count": 24})
    write_json(folders["types"] / "tau.json", {"tau": 0.25, "vocabulary": list(CLASSES)})
    scores = pd.DataFrame(
        {"set": ["id"] * 20 + ["far"] * 30, "label": 0, "log_odds": rng.random(50), "id_confidence": np.r_[np.ones(20), np.zeros(30)]}
    )
    scores.assign(**{"bad-ood": 1 - scores["id_confidence"], "msp": rng.random(50)}).to_parquet(folders["evaluate"] / "scores.parquet")
    grid = {"semantic": np.repeat(np.arange(8.0), 8), "covariate": np.tile(np.arange(8.0), 8)}
    anomaly = {"bad-ood": rng.random(64), "msp": rng.random(64)}
    shift_table(grid, anomaly, anomaly).to_parquet(folders["evaluate"] / "shift.parquet")
    confidence = pd.read_parquet(folders["outliers"] / "outliers.parquet")["id_confidence"]
    for name, mask in (("all", np.ones(240, bool)), ("band", confidence.between(0.3, 0.5).to_numpy())):
        keep(folders[name], mask, lo=0.3, hi=0.5, overlap=0.1, reason="", warning="")
    run.note_results(**{name: run.folder / path for name, path in stages.items()}, sources={"minority": folders["source"]})
    figures = {
        "fpr95": 0.5,
        "auroc": 0.9,
        "aupr": 0.8,
        "id_accuracy": 0.97,
        "overlap": 0.1,
        "lo": 0.3,
        "hi": 0.5,
        "evaluation": "evaluate/0",
    }
    msp = {"msp": {"fpr95": 0.6, "auroc": 0.8, "aupr": 0.7}}
    for row in (
        FilterRow("all", Filter(strategy="all"), kept=240, scorers=msp, validation={"auroc": 0.95}, selection="select/all", **figures),
        FilterRow("band", Filter(lo=0.3, hi=0.5), kept=50, validation={"auroc": 0.9}, selection="select/band", **figures | {"fpr95": 0.4}),
        FilterRow("high", Filter(strategy="high"), empty="keeps nothing"),
    ):
        run.note_row(row)
    run.note(state="done")
    return finished(run.folder)
