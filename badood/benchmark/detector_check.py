"""What a classifier that somebody brings is worth here, before a run is built on it: `badood detector check`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from badood import config
from badood.core.compute import Compute, choose
from badood.core.errors import BadConfig, BadInput
from badood.core.progress import Progress
from badood.data.record import ImageSet
from badood.detect.backbone import AUTO, MEAN, STD, Detector
from badood.detect.backbones.base import family_of
from badood.detect.given import read_given
from badood.detect.start import normalisation_hint, size_note, unchecked_start
from badood.detect.train import score
from badood.evaluate.metrics import ood_metrics

SURE = 0.95
"""ID accuracy above which no other normalisation is tried."""


@dataclass(frozen=True)
class DetectorCheck:
    """What was found. Shares are in [0, 1].

    Attributes:
        weights: the file or name. backbone: of which network it is. family: its origin. parameters: their number.
        classes: of the file. mean, std, image_size: of the input.
        accuracy: on `images` ID images of `data`. as_expected: neither near chance nor far below `expected_accuracy`.
        ood: by set, fpr95 and auroc (and aupr) of the plain energy; OOD is the positive class.
        told: class order, sizes, and what would do better, a sentence each.
    """

    weights: str
    backbone: str
    family: str
    parameters: int
    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int
    data: str
    images: int
    accuracy: float
    as_expected: bool
    ood: dict[str, dict[str, float]]
    told: tuple[str, ...]

    def text(self) -> str:
        """For people, a fact a line."""
        mean, std = (", ".join(f"{value:.4g}" for value in part) for part in (self.mean, self.std))
        lines = [
            f"{self.weights}: {self.backbone} ({self.family}), {self.parameters:,} parameters, {self.classes} classes",
            f"input {self.image_size} px, mean {mean}, std {std}",
            f"ID accuracy {100 * self.accuracy:.2f} % on {self.images:,} images of {self.data}"
            + ("" if self.as_expected else ": far below what is expected"),
        ]
        lines += [
            f"energy against {name}: FPR95 {100 * of['fpr95']:.2f} %, AUROC {100 * of['auroc']:.2f} %" for name, of in self.ood.items()
        ]
        return "\n".join([*lines, *self.told])


def check_detector(
    weights: str,
    data: ImageSet,
    ood: Mapping[str, ImageSet] | None = None,
    *,
    compute: Compute | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> DetectorCheck:
    """A classifier's network, classes, normalisation, ID accuracy, and how well its plain energy tells OOD sets from ID.

    Args:
        weights: as `detector.weights`.
        data: labelled ID images that it was not trained on.
        ood: sets of other images, by name.
        settings: fields of `config.Detector` that are known, such as mean, std, image_size (needs backbone), backbone, backbone_params,
            expected_accuracy; the others are the file's.

    Raises:
        BadConfig, BadWeights: the file cannot be used; see `detect.given.read_given`. Low accuracy is told, not raised.
        BadInput: there are no ID images.
    """
    if not len(data):
        raise BadInput(f"{data.name} has no images; a detector is checked on labelled ID images.")
    given = read_given(_settings(weights, settings))
    compute = compute or choose("auto", "fp32")
    images, labels = Read(data, given.cfg.image_size), torch.from_numpy(np.asarray(data.labels))
    start = unchecked_start(given, images, labels, data.classes, compute, progress=progress)
    notes, native = list(start.told), data.read(0).shape
    if (resized := size_note(native[0], native[1], given.cfg)) is not None:
        notes.append(resized)
    if start.accuracy < SURE:
        hint, better = normalisation_hint(start, images, labels, data.classes, compute)
        if better or not start.as_expected(len(data.classes)):
            notes.append(hint)
    id_energy = score(start.detector, images, compute, progress=progress).energy
    return DetectorCheck(
        weights=weights,
        backbone=given.cfg.backbone,
        family=type(family_of(given.cfg.backbone)).__name__,
        parameters=sum(parameter.numel() for parameter in start.detector.parameters()) - _phi(start.detector),
        classes=given.classes,
        mean=given.cfg.mean or MEAN,
        std=given.cfg.std or STD,
        image_size=given.cfg.image_size,
        data=data.name,
        images=len(data),
        accuracy=start.accuracy,
        as_expected=start.as_expected(len(data.classes)),
        ood={
            name: ood_metrics(id_energy, score(start.detector, Read(of, given.cfg.image_size), compute, progress=progress).energy)
            for name, of in (ood or {}).items()
        },
        told=tuple(notes),
    )


@dataclass(frozen=True)
class Read:
    """The images of a set as a detector takes them, decoded as they are asked for.

    Attributes:
        source: of any sizes. size: to which each is cropped and resized, in px.
    """

    source: ImageSet
    size: int

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(n,) rows -> (n, 3, size, size) uint8."""
        return self.source.take(rows.numpy()).pixels(self.size)


def _settings(weights: str, known: dict[str, Any]) -> config.Detector:
    """Settings of a detector as it is, of which only `known` is said."""
    name = known.get("backbone", AUTO)
    size = 32 if name == AUTO else family_of(name).image_size(name)
    unused = {"epochs": 1, "batch_size": 2, "lr": 0.1}
    try:
        return config.Detector.model_validate(unused | {"mode": "as-is", "weights": weights, "backbone": name, "image_size": size} | known)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))} = {item['input']!r}: {item['msg']}" for item in error.errors())
        raise BadConfig(f"these are no settings of a detector: {wrong}.") from error


def _phi(detector: Detector) -> int:
    return sum(parameter.numel() for parameter in detector.head.phi.parameters())
