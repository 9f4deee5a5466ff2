"""How models for images of one's own are trained: their sizes by the images', their steps by the number of images, time and disk told first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from badood import config
from badood.config import Config, load_config, validate
from badood.core.errors import BadConfig, BadInput
from badood.core.progress import duration
from badood.core.rows import evenly
from badood.core.training import total_steps
from badood.data.miniworld.classes import FOREIGN_CLASSES, ID_CLASSES
from badood.data.record import ImageSet
from badood.data.splits import load
from badood.pipeline.estimate import parameters, seconds_a_step
from badood.pipeline.fit_figures import clip_knows, tokenizer_shows
from badood.pipeline.models import MODELS, Model, Models
from badood.pipeline.wish import Wish

BASES = {32: "cifar10", 64: "miniworld", 128: "miniworld"}
"""Side in px -> preset whose networks have that size, or are enlarged to it."""

LARGER: Mapping[int, dict[str, dict[str, Any]]] = {
    128: {
        "encoder": {"image_size": 64},
        "tokenizer": {"image_size": 128, "multipliers": [1, 2, 4, 8, 8]},
        "detector": {"image_size": 64},
    }
}

FLOORS: Mapping[Model, int] = {"encoder": 800, "rdm": 2000, "tokenizer": 1500, "mage": 6000, "clip": 600}
"""Optimisation steps below which a model learns next to nothing from random weights, however few the images. With 60 steps of the RDM and 36 of
the tokenizer outliers were brown blobs; the shipped models of MiniWorld had 825, 2,100, 3,750, 7,500 and 780."""

SMALL_BATCH = 64
"""Rows a step of tokenizer and MAGE at most: of few images, many small steps teach more than few large ones. The floors are counted in such steps."""

FURTHER = 0.3
"""Share of those steps, and of the peak learning rate, for a model that starts from given weights."""

ENOUGH_TO_BETTER = 10_000
"""A given encoder, and a tokenizer that shows the images, are kept as they are where there are fewer: what they learnt from 50,000, fewer do not
better, and RDM and MAGE know their z0 and codes. A tokenizer trained further by 97 steps left MAGE at chance (a loss of 6.93 nats of 1,024 codes)."""

FEW_IMAGES = 5_000
"""Fewer images teach models from random weights too little; the shipped ones had 50,000 photographs, or 4,000 images of a rendered world."""

LEARNT_BY_HEART = 10_000
"""With fewer images MAGE learns from crops as well."""


@dataclass(frozen=True)
class Plan:
    """How a wish is fulfilled.

    Attributes:
        cfg: the preset of the models. start: settings whose weights they start from, or none.
        kept: given models that are taken as they are, with the reason. images: to learn from.
        steps: of those that are trained. seconds: of each, by a short timing on this machine.
        weights_mb, checkpoint_mb: on disk, in the end and meanwhile. warnings: what may not suffice.
    """

    cfg: Config
    start: Config | None
    kept: Mapping[Model, str]
    images: int
    steps: Mapping[Model, int]
    seconds: Mapping[Model, float] = field(default_factory=dict)
    weights_mb: float = 0.0
    checkpoint_mb: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What is going to be done, in lines."""
        begin = "random weights" if self.start is None else f"the weights of {self.start.preset}"
        lines = [f"{self.images:,} images at {self.cfg.data.image_size} px, from {begin}, into {self.cfg.weights}"]
        lines += [f"  {model:9} {self.steps[model]:>7,} steps, about {duration(self.seconds[model])}" for model in self.steps]
        lines += [f"  {model:9} kept as given: {why}" for model, why in self.kept.items()]
        lines.append(
            f"about {duration(sum(self.seconds.values()))} on this machine as it is busy now; {self.weights_mb:.0f} MB on disk, and "
            f"{self.checkpoint_mb:.0f} MB meanwhile"
        )
        return "\n".join([*lines, *(f"warning: {each}" for each in self.warnings)])


def planned(wish: Wish) -> Plan:
    """Sizes, steps, time and disk for a wish; a minute at most.

    Raises:
        BadInput: the images cannot be used. BadConfig: a size, start or setting that cannot be.
    """
    train = config.Source(dataset=wish.reader, path=str(wish.data.expanduser().resolve()), split="train")
    images = load(train, None)
    if len(np.unique(images.labels)) < 2:
        raise BadInput(
            f"{images.name}: ID images need at least two classes, found {', '.join(images.classes)}; expected a subfolder for each."
        )
    start = wish.given
    size = wish.size or (start.data.image_size if start else _size_of(images))
    if size not in BASES:
        raise BadConfig(f"--size {size}: give one of {', '.join(map(str, BASES))}.")
    if start is not None and start.data.image_size != size:
        raise BadConfig(f"--from {wish.start}: its models are for {start.data.image_size} px, not {size}; leave --size out, or --from.")
    cfg = _recipe(wish, load_config(BASES[size], [], wish.data, wish.reader) if start is None else start, images, size)
    kept = {} if start is None else _kept(start, images)
    if start is not None and "clip" in kept:  # with the names that it knows, and no others
        cfg = cfg.model_copy(update={"clip": start.clip.model_copy(update={"weights": None})})
    trained = [model for model in MODELS if model not in kept]
    seconds = {model: seconds_a_step(cfg, model, images) for model in trained}
    steps = {model: total_steps(_rows(cfg, model, len(images)), getattr(cfg, model)) for model in trained}
    share = 1.0
    if wish.minutes is not None:
        share = min(1.0, 60 * wish.minutes / sum(steps[model] * seconds[model] for model in trained))
        cfg = _with_steps(cfg, {model: max(1, round(share * steps[model])) for model in trained if not _fixed(wish, model)}, len(images))
        steps = {model: total_steps(_rows(cfg, model, len(images)), getattr(cfg, model)) for model in trained}
    megabytes = {model: parameters(cfg, model) / 2**20 for model in MODELS}
    return Plan(
        cfg,
        start,
        kept,
        len(images),
        steps,
        {model: steps[model] * seconds[model] for model in trained},
        weights_mb=2 * sum(megabytes.values()),
        checkpoint_mb=16 * max(megabytes.values()),
        warnings=tuple(_warnings(wish, len(images), steps)),
    )


def _recipe(wish: Wish, base: Config, images: ImageSet, size: int) -> Config:
    """The settings of the models: those of a preset of that size, with as many steps as so many images want."""
    content = base.model_dump(mode="json")
    for section, larger in LARGER.get(size, {}).items():
        content[section] |= larger
    own = {"dataset": wish.reader, "path": str(wish.data.expanduser().resolve())}
    content |= {"preset": wish.called, "weights": str(wish.folder)}
    content["data"] |= {"image_size": size, "train": own | {"split": "train"}, "test": own | {"split": "test"}}
    for model in MODELS:
        content[model]["weights"] = None
        if wish.start is not None:
            content[model]["lr"] *= FURTHER
    for model in ("tokenizer", "mage"):
        content[model]["batch_size"] = min(SMALL_BATCH, content[model]["batch_size"])
    content["encoder"]["begin_with"] = None  # the classifier is one of other images
    foreign = dict.fromkeys([*base.clip.vocabulary, *ID_CLASSES, *FOREIGN_CLASSES])
    content["clip"]["vocabulary"] = [name for name in foreign if name not in images.classes]
    groups = {"id": "other", "auxiliary": "auxiliary", "near": "near", "far": "far"}
    content["clip"]["foreign"] = [
        {"name": name, "dataset": "miniworld", "params": {"classes": group, "count": 400}} for group, name in groups.items()
    ]
    if len(images) < LEARNT_BY_HEART:
        content["mage"] |= {"views": max(5, content["mage"]["views"]), "view_scale": (0.6, 1.0)}
    cfg = validate(_over(content, config.parsed_overrides(wish.settings)), source="--set")
    share = 1.0 if wish.start is None else FURTHER
    wanted = {
        model: round(share * max(FLOORS[model], total_steps(_rows(cfg, model, len(images)), getattr(cfg, model))))
        for model in MODELS
        if not _fixed(wish, model)
    }
    return _with_steps(cfg, wanted, len(images))


def _over(below: dict[str, Any], upon: dict[str, Any]) -> dict[str, Any]:
    """Nested plain data with the entries of `upon` in the place of those below."""
    both = {key: _over(below[key], new) for key, new in upon.items() if isinstance(new, dict) and isinstance(below.get(key), dict)}
    return below | upon | both


def _with_steps(cfg: Config, steps: Mapping[Model, int], images: int) -> Config:
    """The settings with as many epochs as make so many steps."""
    changed: dict[str, config.Training] = {}
    for model, count in steps.items():
        training: config.Training = getattr(cfg, model)
        rows = _rows(cfg, model, images)
        changed[model] = training.model_copy(update={"epochs": count / max(1, rows // min(training.batch_size, rows))})
    return cfg.model_copy(update=changed)


def _rows(cfg: Config, model: Model, images: int) -> int:
    """Rows that a model learns from."""
    foreign = sum(source.params.get("count", 0) for source in cfg.clip.foreign)
    return {"mage": images * (1 + cfg.mage.views), "clip": images + foreign}.get(model, images)


def _fixed(wish: Wish, model: Model) -> bool:
    return any(each.startswith(f"{model}.epochs=") for each in wish.settings)


def _size_of(images: ImageSet) -> int:
    """The size nearest to the images', in ratio."""
    sides = [min(images.read(int(row)).shape[:2]) for row in evenly(len(images), 200)]
    return min(BASES, key=lambda size: abs(np.log(size / float(np.median(sides)))))


def _kept(start: Config, images: ImageSet) -> dict[Model, str]:
    """Given models that are taken as they are."""
    kept: dict[Model, str] = {}
    given, few = Models(start), images.take(evenly(len(images), 300))
    if len(images) < ENOUGH_TO_BETTER:
        kept["encoder"] = f"fewer than {ENOUGH_TO_BETTER:,} images do not better it"
        if told := tokenizer_shows(given, few):
            kept["tokenizer"] = told
    if told := clip_knows(given, few):
        kept["clip"] = told
    return kept


def _warnings(wish: Wish, images: int, steps: Mapping[Model, int]) -> list[str]:
    found = []
    if wish.start is None and images < FEW_IMAGES:
        found.append(
            f"{images:,} images are too few to teach five models from random weights (at least {FEW_IMAGES:,}); --from cifar starts from "
            "photographs of 32 px, and outliers that something else made (--outliers PATH --only-imported) need none of these models."
        )
    elif images < 200:
        found.append(f"{images:,} images teach even given models next to nothing.")
    short = [model for model, count in steps.items() if count < (1 if wish.start is None else FURTHER) * FLOORS[model] - 1]
    if short:
        wanted = ", ".join(f"{model} {steps[model]:,}" for model in short)
        found.append(f"so few steps teach little ({wanted}); give more --minutes, or epochs.")
    return found
