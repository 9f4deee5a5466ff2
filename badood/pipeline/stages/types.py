"""What CLIP sees in outliers: OOD-I, II, III. Paper sec. 4.3; DESIGN item 11."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood import config
from badood.core.artefacts import write_json
from badood.core.rows import Rows, pieces
from badood.evaluate.clip import zero_shot
from badood.evaluate.ood_types import certainty, ood_types, positions, tempered, vocabulary
from badood.pipeline.artefacts import Images, Outliers, Typed
from badood.pipeline.models import Models
from badood.pipeline.stage import Context, stage

_CHUNK = 16_384
"""Outliers whose probabilities are in memory at a time."""


@stage("types", version=2, result=Typed)
def types(out: Path, cfg: config.CLIP, outliers: Outliers, train: Images, labelled: Images, models: Models, ctx: Context) -> None:
    """`types.parquet`: CLIP's label, probabilities and the type of every outlier; `tau.json`.

    Args:
        train: its classes are the ID classes. labelled: images by which temperature and tau are set.
    """
    names = vocabulary(train.classes, cfg.vocabulary)
    right = positions(labelled.classes, names)[labelled.labels]
    seen = ctx.over("types", [labelled.pixels, *outliers.pixels.parts(_CHUNK)], naming, cfg, names, models)
    temperature, tau = certainty(next(seen), right, cfg)
    position = positions(train.classes, names)
    anchors = anchor_labels(outliers, train.classes)
    anchor = np.where(anchors >= 0, position[anchors], -1)
    both = zip(seen, pieces(len(outliers), _CHUNK), strict=True)
    parts = [ood_types(tempered(named, temperature), anchor[piece], position, names, tau) for named, piece in both]
    pd.concat(parts, ignore_index=True).to_parquet(out / "types.parquet")
    write_json(out / "tau.json", {"tau": tau, "temperature": temperature, "vocabulary": names})


def naming(cfg: config.CLIP, names: list[str], models: Models, ctx: Context) -> Callable[[Rows], NDArray[np.float32]]:
    """(n, K) probability of every class name, as CLIP sees some images."""
    clip = models.at(ctx).clip
    return lambda pixels: np.asarray(zero_shot(clip, pixels, names, cfg.templates, ctx.compute).numpy())


def anchor_labels(outliers: Outliers, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """(M,) class of each outlier's anchor; -1 where it has none."""
    names = outliers.column("anchor_class")
    if names is None:
        return np.full(len(outliers), -1, dtype=np.int64)
    place = {name: label for label, name in enumerate(classes)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64)
