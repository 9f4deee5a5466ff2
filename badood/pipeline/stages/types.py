"""What CLIP sees in outliers: OOD-I, II, III. Paper sec. 4.3; DESIGN item 11."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood import config
from badood.core.artefacts import write_json
from badood.core.rows import Rows, pieces
from badood.evaluate.clip import zero_shot
from badood.evaluate.ood_types import choose_tau, class_names, ood_types, vocabulary
from badood.pipeline.artefacts import Images, Outliers, Typed
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage

_CHUNK = 16_384
"""Outliers whose probabilities are in memory at a time."""


@stage("types", version=1, result=Typed)
def types(out: Path, cfg: config.CLIP, outliers: Outliers, validation: Images, models: Models, ctx: Context) -> None:
    """`types.parquet`: CLIP's label, probabilities and the type of every outlier; `tau.json`."""
    names = vocabulary(validation.classes, cfg.vocabulary)
    clip = models.at(ctx).clip

    def probabilities(pixels: Rows) -> NDArray[np.float32]:
        return np.asarray(zero_shot(clip, pixels, names, cfg.templates, ctx.compute).numpy())

    tau = cfg.tau if cfg.tau is not None else choose_tau(probabilities(validation.pixels), cfg.recognised)
    position = np.array([names.index(name) for name in class_names(validation.classes)])
    anchors = anchor_labels(outliers, validation.classes)
    anchor = np.where(anchors >= 0, position[anchors], -1)
    both = zip(outliers.pixels.parts(_CHUNK), pieces(len(outliers), _CHUNK), strict=True)
    parts = [ood_types(probabilities(part), anchor[piece], position, names, tau) for part, piece in both]
    pd.concat(parts, ignore_index=True).to_parquet(out / "types.parquet")
    write_json(out / "tau.json", {"tau": tau, "vocabulary": names})


def anchor_labels(outliers: Outliers, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """(M,) class of each outlier's anchor; -1 where it has none."""
    names = outliers.column("anchor_class")
    if names is None:
        return np.full(len(outliers), -1, dtype=np.int64)
    place = {name: label for label, name in enumerate(classes)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64)
