"""Detectors, and what they say of outliers and of test images."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badood.calibrate import Calibrator, from_dict
from badood.core.artefacts import read_json
from badood.evaluate.agreement import Agreement
from badood.filter import Selection
from badood.pipeline.artefacts.base import Artefact

OURS = "bad-ood"
"""Name of our own score, 1 - id_confidence, beside the baselines."""

AUTO = "auto"
"""As `calibrate.score`: the scorer that ranks best."""


@dataclass(frozen=True)
class Trained(Artefact):
    """A detector."""

    @property
    def weights(self) -> Path:
        """safetensors."""
        return self.folder / "detector.safetensors"

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of `config.Detector` with which it was built."""
        return dict(read_json(self.folder / "detector.json")["settings"])

    @property
    def classes(self) -> int:
        """Number of its classes, C."""
        return int(read_json(self.folder / "detector.json")["classes"])

    @property
    def report(self) -> dict[str, Any]:
        """Rank correlation of E with the outlier label, and what was matched of given weights."""
        report: dict[str, Any] = read_json(self.folder / "report.json")
        return report


@dataclass(frozen=True)
class Confidence(Artefact):
    """Scores and id_confidence of outliers and held-out images under the first detector."""

    def table(self) -> pa.Table:
        """M rows: energy (nats), log_odds of the raw score, raw_score, id_confidence."""
        return pq.read_table(self.folder / "outliers.parquet")

    @property
    def outliers(self) -> NDArray[np.float64]:
        """(M,) id_confidence."""
        return self.table()["id_confidence"].to_numpy()

    @property
    def reference(self) -> pd.DataFrame:
        """Held-out images: set ("validation" = ID, "auxiliary" = OOD), log_odds, id_confidence."""
        return pd.read_parquet(self.folder / "reference.parquet")

    @property
    def validation(self) -> NDArray[np.float64]:
        """(V,) id_confidence of ID validation images."""
        table = self.reference
        return table.loc[table["set"] == "validation", "id_confidence"].to_numpy(np.float64)

    @property
    def calibrator(self) -> Calibrator:
        """The fitted map from log-odds to id_confidence."""
        return from_dict(read_json(self.folder / "calibrator.json"))


@dataclass(frozen=True)
class Ranked(Artefact):
    """How well scorers tell ID validation from the auxiliary set."""

    @property
    def table(self) -> list[dict[str, Any]]:
        """An entry a scorer, the best AUROC first: entry as in the settings, name, fpr95, auroc, aupr."""
        found: list[dict[str, Any]] = read_json(self.folder / "ranked.json")
        return sorted(found, key=lambda each: -each["auroc"])

    def calibrated(self, score: str | Mapping[str, Any]) -> dict[str, Any]:
        """The entry of the scorer that `calibrate.score` asks for; of "auto" the best."""
        table = self.table
        return table[0] if score == AUTO else next(each for each in table if each["entry"] == score)


@dataclass(frozen=True)
class Features(Artefact):
    """Features of the first detector, for previews."""

    def array(self, name: str) -> NDArray[Any]:
        """Memory-mapped (N, D) float16 of "train", "outliers", "validation" or "auxiliary"; (N,) "labels" of "train"."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


@dataclass(frozen=True)
class Harm(Artefact):
    """How much each outlier harms the first detector."""

    def table(self) -> pa.Table:
        """M rows: gradient_anomaly, disagreement (nats, where there are two outliers at least) and, where it foretells retrains of the head, harm (millionths of AUROC, positive = harmful)."""
        table = pq.read_table(self.folder / "outliers.parquet")
        return table if self.agreement.trusted else table.drop_columns(["harm"])

    @property
    def agreement(self) -> Agreement:
        """Of foretold and real held-out losses over random halves of the outliers (LDS)."""
        return Agreement(**read_json(self.folder / "agreement.json"))


@dataclass(frozen=True)
class Kept(Artefact):
    """Which outliers a detector is trained on. Its key is its content: equal choices share a detector, however they were made."""

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(M,)."""
        return np.load(self.folder / "kept.npy")

    @property
    def key(self) -> str:
        """Of the mask."""
        return str(read_json(self.folder / "selection.json")["content"])

    @property
    def selection(self) -> Selection:
        """The mask, its limits, overlap, and how it was chosen."""
        told = read_json(self.folder / "selection.json")
        return Selection(self.mask, **{name: told[name] for name in ("lo", "hi", "overlap", "reason", "warning")})


@dataclass(frozen=True)
class Evaluated(Artefact):
    """A detector on images that it never saw."""

    @property
    def metrics(self) -> dict[str, Any]:
        """fpr95, auroc, aupr (mean over the OOD sets), id_accuracy, per_set, scorers, validation."""
        metrics: dict[str, Any] = read_json(self.folder / "metrics.json")
        return metrics

    @property
    def scores(self) -> pd.DataFrame:
        """A row an image: set ("id" or an OOD set), label, predicted, energy, log_odds, id_confidence, and the anomaly by every method."""
        return pd.read_parquet(self.folder / "scores.parquet")

    @property
    def shift(self) -> pd.DataFrame:
        """The shift table; empty where the run has no grid. Runs from before AUROC was reported have NaN in its place."""
        path = self.folder / "shift.parquet"
        table = pd.read_parquet(path) if path.exists() else pd.DataFrame()
        return table if table.empty or "auroc" in table else table.assign(auroc=np.nan)

    @property
    def calibrator(self) -> Calibrator | None:
        """The detector's own; none where it ranks the calibration sets the wrong way round."""
        path = self.folder / "calibrator.json"
        return from_dict(read_json(path)) if path.exists() else None


@dataclass(frozen=True)
class Sweep(Artefact):
    """Previews of all bands."""

    @property
    def table(self) -> pd.DataFrame:
        """A row a band: lo, hi, kept, overlap and the preview's figures."""
        return pd.read_parquet(self.folder / "sweep.parquet")
