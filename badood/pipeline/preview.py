"""Head-mode retrains on frozen features: a preview of a band within seconds, on validation data only."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from badood import config
from badood.core.artefacts import digest
from badood.core.compute import Compute
from badood.core.rows import evenly
from badood.detect.train import train_head
from badood.evaluate.metrics import ood_metrics
from badood.pipeline.artefacts import Features, Trained
from badood.pipeline.stages.detect import load
from badood.pipeline.stages.features import ENOUGH


@dataclass(frozen=True)
class Previews:
    """What previews are made from.

    Attributes:
        features: of the first detector. first: the detector itself. cfg: the run's settings of detectors.
    """

    features: Features
    first: Trained
    cfg: config.Detector

    @property
    def key(self) -> str:
        """Of features and settings."""
        return digest(self.features.key, self.cfg.model_dump(mode="json"))

    def head_metrics(self, kept: NDArray[np.bool_], compute: Compute) -> dict[str, float]:
        """FPR95, AUROC and AUPR of ID validation against the auxiliary set, after a head-mode retrain on the kept outliers.

        Args:
            kept: (M,) which outliers take part.
        """
        parts = {name: torch.from_numpy(np.array(self.features.array(name))).float() for name in ("train", "validation", "auxiliary")}
        among = np.flatnonzero(kept)
        outliers = torch.from_numpy(self.features.array("outliers")[among[evenly(len(among), ENOUGH)]]).float()
        labels = torch.from_numpy(np.array(self.features.array("labels")))
        head = train_head(load(self.first, compute), parts["train"], labels, outliers, self.cfg)
        with torch.inference_mode():
            return ood_metrics(head.energy(parts["validation"]).numpy(), head.energy(parts["auxiliary"]).numpy())
