"""Head-mode retrains on frozen features: a preview of a band within seconds, on validation data only."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from badood.core.rows import evenly
from badood.detect.train import score, train_head
from badood.evaluate.metrics import ood_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from badood.pipeline.method import Method


ENOUGH = 10_000
"""As many images of either kind fix a linear head; more only cost time."""


def features(method: "Method") -> "Path":
    """`train.npy`, `labels.npy`, `outliers.npy`, `validation.npy`, `auxiliary.npy`: (N, D) float16 of the first detector."""
    first = method.first_detector

    def make(out: "Path") -> None:
        detector = method.load_detector(first)
        rows = evenly(len(method.train_pixels), ENOUGH)
        parts = {
            "train": method.train_pixels[torch.from_numpy(rows)],
            "outliers": method.outlier_pixels,
            "validation": method.reference_pixels[0],
            "auxiliary": method.reference_pixels[1],
        }
        for name, pixels in parts.items():
            np.save(out / f"{name}.npy", np.asarray(score(detector, pixels, method.run.compute).features, dtype=np.float16))
        np.save(out / "labels.npy", method.images.train.labels[rows])

    return method.run.artefact("features", [first.name, method.cfg.data.auxiliary], make)


def head_metrics(method: "Method", kept: NDArray[np.bool_]) -> dict[str, float]:
    """FPR95, AUROC and AUPR of ID validation against the auxiliary set, after a head-mode retrain on the kept outliers.

    Args:
        kept: (M,) which outliers take part.
    """
    folder = features(method)
    load = {name: torch.from_numpy(np.load(folder / f"{name}.npy")).float() for name in ("train", "validation", "auxiliary")}
    among = np.flatnonzero(kept)
    outliers = torch.from_numpy(np.load(folder / "outliers.npy", mmap_mode="r")[among[evenly(len(among), ENOUGH)]]).float()
    detector = method.load_detector(method.first_detector)
    head = train_head(detector, load["train"], torch.from_numpy(np.load(folder / "labels.npy")), outliers, method.cfg.detector)
    with torch.inference_mode():
        return ood_metrics(head.energy(load["validation"]).numpy(), head.energy(load["auxiliary"]).numpy())
