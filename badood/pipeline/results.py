"""What a run has found before its filters: all that a retrain, a preview or a question needs."""

from dataclasses import dataclass

from badood.config import Calibrate
from badood.pipeline.artefacts import Confidence, Described, Harm, Outliers, Rebuilt, Trained
from badood.pipeline.preview import Previews
from badood.pipeline.sets import Sets


@dataclass(frozen=True)
class Results:
    """Finished results of one run.

    Attributes:
        sets: ID and OOD images. outliers: of all sources. described: none without an encoder. rebuilt: none where the detector sees none.
        start: the detector of given weights; none from scratch.
        scoring: what is calibrated and how, with nothing left to choose.
        confidence, harm: under the first detector. previews: of further ones.
    """

    sets: Sets
    outliers: Outliers
    described: Described | None
    rebuilt: Rebuilt | None
    start: Trained | None
    scoring: Calibrate
    confidence: Confidence
    harm: Harm
    previews: Previews
