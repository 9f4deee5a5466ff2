"""Head-mode retrains on frozen features: a preview of a band within a second, on validation data only."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from badood import config
from badood.core.artefacts import digest
from badood.core.rows import evenly
from badood.detect.backbone import load_detector
from badood.detect.harm import HeldOut
from badood.detect.head import HeadRetrain
from badood.evaluate.metrics import ood_metrics
from badood.filter import Selection, select
from badood.pipeline.artefacts import Features, Trained
from badood.pipeline.stages.detect import settings_of
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
        return digest(self.features.key, self.cfg.model_dump(mode="json", exclude={"weights"}))

    def head_metrics(self, kept: NDArray[np.bool_]) -> dict[str, float]:
        """FPR95, AUROC and AUPR of ID validation against the auxiliary set, after a head-mode retrain on the kept outliers.

        Args:
            kept: (M,) which outliers take part.
        """
        retrain, held_out = self.retrain(np.flatnonzero(kept)), self.held_out
        theta = retrain.minimum()
        with torch.inference_mode():
            return ood_metrics(*(retrain.energy(theta, part).numpy() for part in (held_out.validation, held_out.auxiliary)))

    def select(self, outliers: pd.DataFrame, cfg: config.Filter, id_confidence: ArrayLike) -> Selection:
        """As `filter.select`, with previews and features of the first detector."""
        return select(outliers, cfg, id_confidence, self.head_metrics, self.features.array("outliers"))

    def retrain(self, outliers: NDArray[np.int64]) -> HeadRetrain:
        """A head-mode retrain from the first detector's head.

        Args:
            outliers: (n,) outlier_id; of more than are enough an even choice takes part.
        """
        head = load_detector(self.first.weights, settings_of(self.first), self.first.classes).head
        among = outliers[evenly(len(outliers), ENOUGH)]
        labels = torch.from_numpy(np.array(self.features.array("labels")))
        return HeadRetrain(head, self._seen("train"), labels, torch.from_numpy(self.features.array("outliers")[among]), self.cfg)

    @property
    def held_out(self) -> HeldOut:
        """Features of ID validation images and of the auxiliary set."""
        return HeldOut(self._seen("validation"), self._seen("auxiliary"))

    def _seen(self, name: str) -> Tensor:
        return torch.from_numpy(np.array(self.features.array(name))).double()
