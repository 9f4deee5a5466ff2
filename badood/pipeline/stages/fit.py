"""How well a set of models fits the ID images. DESIGN, "Three presets, one code path": own images."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from badood import config
from badood.core.artefacts import read_json, write_json
from badood.data.record import square
from badood.outliers.embedded import anchors
from badood.pipeline.artefacts import Artefact, Images
from badood.pipeline.fit_check import Figures
from badood.pipeline.fit_figures import IMAGES, measure
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage


@dataclass(frozen=True)
class Measured(Artefact):
    """Figures of one set of models."""

    @property
    def figures(self) -> Figures:
        """See `Figures`."""
        return Figures(**read_json(self.folder / "figures.json"))


@stage("fit", version=1, result=Measured)
def fit(out: Path, train: Images, models: Models, decode: config.Decode, size: int, ctx: Context) -> None:
    """`figures.json`.

    Args:
        train: ID images. models: of one set; `decode` and `size` (px) are that set's as well, as it would be used.
    """
    labels = train.labels
    rows = anchors(labels, min(IMAGES, len(labels)), 0)
    kept = train.pixels.array(rows).transpose(0, 2, 3, 1)
    pixels = torch.from_numpy(np.stack([square(image, size) for image in kept]).transpose(0, 3, 1, 2).copy())
    write_json(out / "figures.json", asdict(measure(models.at(ctx), pixels, labels[rows], train.classes, ctx.progress)))
