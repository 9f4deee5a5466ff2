"""The detector that a run starts from where weights are given: in the data's class order, and checked on ID images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from badood import config
from badood.core.compute import Compute
from badood.core.errors import BadWeights
from badood.core.progress import Progress
from badood.core.weights import plain
from badood.detect.activations import Images
from badood.detect.backbone import MEAN, STD, Channels, Detector
from badood.detect.class_order import matched_classes
from badood.detect.given import Given, read_given
from badood.detect.train import score

NORMALISATIONS: dict[str, tuple[Channels, Channels]] = {
    "ImageNet's": (MEAN, STD),
    "CIFAR-10's": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "CIFAR-100's": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "0.5 and 0.5": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation that publishers use."""
PRESENT = "the present one"

SLACK = 0.05
"""By how much ID accuracy may stay below what is expected."""
TRIAL_ROWS = 500
"""ID images on which other normalisations are tried."""
BETTER = 0.02
"""By how much ID accuracy on so few images must rise to be worth a word."""


@dataclass(frozen=True)
class Start:
    """A detector of given weights for the data at hand, and what was found about it.

    Attributes:
        detector: its logits are in the order of the data's classes.
        cfg: settled.
        accuracy: ID accuracy, in [0, 1]. images: on how many images.
        told: the order of the classes and whatever else a user should know, a sentence each.
    """

    detector: Detector
    cfg: config.Detector
    accuracy: float
    images: int
    told: tuple[str, ...]

    def as_expected(self, classes: int) -> bool:
        """Whether ID accuracy is as `expected_accuracy` says, or, where that says nothing, clearly above the chance of so many classes."""
        chance, expected = 1 / classes, self.cfg.expected_accuracy
        return self.accuracy >= (chance + 0.1 * (1 - chance) if expected is None else expected - SLACK)

    def report(self) -> dict[str, object]:
        """For run.json."""
        kept = self.cfg.model_dump(mode="json")
        shown = {name: kept[name] for name in ("mode", "weights", "backbone", "image_size", "mean", "std")}
        return shown | {"accuracy": self.accuracy, "images": self.images, "told": list(self.told)}


def start_detector(cfg: config.Detector, images: Images, labels: Tensor, classes: Sequence[str], compute: Compute) -> Start:
    """The detector of given weights, checked on ID images.

    Args:
        cfg: settled or not.
        images: N ID images with labels, (3, H, W) uint8 each; those of the ID test set, since no choice but the class order hangs on them.
        labels: (N,) int64. classes: names of the data's classes.

    Raises:
        BadConfig, BadWeights: see `read_given`; the classes are others, or ID accuracy is far below what is expected or near chance.
    """
    start = unchecked_start(read_given(cfg), images, labels, classes, compute)
    check_accuracy(start, images, labels, classes, compute)
    return start


def unchecked_start(
    given: Given, images: Images, labels: Tensor, classes: Sequence[str], compute: Compute, *, progress: Progress | None = None
) -> Start:
    """As `start_detector`, whatever the accuracy."""
    given.check_classes(classes)
    detector = compute.place(given.detector())
    seen = score(detector, images, compute, progress=progress)
    order = matched_classes(seen.logits, labels, classes, given.checkpoint.card.classes)
    reordered(detector, order.rows)
    accuracy = float((seen.logits[:, order.rows].argmax(dim=1) == labels).double().mean())
    notes = [order.told]
    if given.also:
        notes.append(
            f"The tensors fit {len(given.also) + 1} networks; taken is {given.cfg.backbone}, others are {', '.join(given.also[:4])}: "
            "name yours in detector.backbone where accuracy is not what you know."
        )
    height, width = images[torch.arange(1)].shape[-2:]
    if (size := size_note(height, width, given.cfg)) is not None:
        notes.append(size)
    return Start(detector, given.cfg, accuracy, len(labels), tuple(notes))


def reordered(detector: Detector, rows: Tensor) -> None:
    """Have logit i be what logit rows[i] was; logits that `rows` does not name are gone."""
    linear = detector.head.linear
    with torch.no_grad():
        weight, bias = linear.weight[rows.to(linear.weight.device)], linear.bias[rows.to(linear.bias.device)]
        linear.weight, linear.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    linear.out_features = len(rows)


def size_note(height: int, width: int, cfg: config.Detector) -> str | None:
    """A sentence where ID images are of another size than the detector's input."""
    if (height, width) == (cfg.image_size, cfg.image_size):
        return None
    return (
        f"ID images are {width} x {height} px and the detector's input is {cfg.image_size} px: each is resized, and looks otherwise than what "
        f"the weights were trained on unless those were resized alike; take images of {cfg.image_size} px, or, where the weights are for "
        f"{width} px, set detector.backbone={cfg.backbone} detector.image_size={width}."
    )


def check_accuracy(start: Start, images: Images, labels: Tensor, classes: Sequence[str], compute: Compute) -> None:
    """Whether ID accuracy is what one may expect of the weights.

    Raises:
        BadWeights: it is not; names the normalisation that would do better, where one of the usual does.
    """
    if start.as_expected(len(classes)):
        return
    expected = start.cfg.expected_accuracy
    wanted = (
        f"near chance ({1 / len(classes):.1%})"
        if expected is None
        else f"far below the expected {expected:.1%} (detector.expected_accuracy)"
    )
    hint, _ = normalisation_hint(start, images, labels, classes, compute)
    raise BadWeights(
        f"{plain(str(start.cfg.weights))} as {start.cfg.backbone}: ID accuracy is {start.accuracy:.1%} on {start.images:,} images, {wanted}. "
        f"{hint} {' '.join(start.told)}"
    )


def normalisation_hint(start: Start, images: Images, labels: Tensor, classes: Sequence[str], compute: Compute) -> tuple[str, bool]:
    """Which of the usual normalisations does better on ID images: a sentence with the settings to use, and whether one does."""
    used = (start.cfg.mean or MEAN, start.cfg.std or STD)
    tried = try_normalisations(start, images, labels, classes, compute)
    best = max(tried, key=lambda name: tried[name])
    now = f"mean {_listed(used[0])}, std {_listed(used[1])}"
    if tried[best] <= tried[PRESENT] + BETTER:
        return (
            f"No usual normalisation does better than the present one ({now}); check the classes, detector.image_size "
            f"({start.cfg.image_size} px) and detector.backbone."
        ), False
    mean, std = NORMALISATIONS[best]
    return (
        f"The normalisation is likely another: ID accuracy is {tried[PRESENT]:.1%} with the present one ({now}) and {tried[best]:.1%} with "
        f"{best}; set detector.mean=[{_listed(mean)}] detector.std=[{_listed(std)}]."
    ), True


def try_normalisations(start: Start, images: Images, labels: Tensor, classes: Sequence[str], compute: Compute) -> dict[str, float]:
    """ID accuracy under the present and every usual normalisation, on `TRIAL_ROWS` images that are spread over the set."""
    rows = torch.linspace(0, len(images) - 1, min(len(images), TRIAL_ROWS)).round().long()
    some, present = images[rows], (start.cfg.mean or MEAN, start.cfg.std or STD)
    found = {}
    try:
        for name, (mean, std) in {PRESENT: present, **NORMALISATIONS}.items():
            start.detector.normalise_by(mean, std)
            logits = score(start.detector, some, compute).logits
            order = matched_classes(logits, labels[rows], classes)
            found[name] = float((logits[:, order.rows].argmax(dim=1) == labels[rows]).double().mean())
    finally:
        start.detector.normalise_by(*present)
    return found


def _listed(values: Channels) -> str:
    return ",".join(f"{value:g}" for value in values)
