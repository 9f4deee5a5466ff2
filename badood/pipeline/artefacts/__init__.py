"""What stages hand on: small frozen classes over finished folders. Nobody else reads these folders by file name."""

from badood.pipeline.artefacts.base import Artefact
from badood.pipeline.artefacts.detectors import AUTO, OURS, Confidence, Evaluated, Features, Harm, Kept, Ranked, Sweep, Trained
from badood.pipeline.artefacts.images import Encoded, Images, Rebuilt
from badood.pipeline.artefacts.outliers import Described, Made, Outliers, Table, Typed, joined

__all__ = [
    "AUTO",
    "OURS",
    "Artefact",
    "Confidence",
    "Described",
    "Encoded",
    "Evaluated",
    "Features",
    "Harm",
    "Images",
    "Kept",
    "Made",
    "Outliers",
    "Ranked",
    "Rebuilt",
    "Sweep",
    "Table",
    "Trained",
    "Typed",
    "joined",
]
