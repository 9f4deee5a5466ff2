"""The five models for images of one's own, in their order, into a folder of their own."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from badood.config import Config, Source, load_config, weights_path
from badood.core.artefacts import alone, atomic_file, read_json, write_json
from badood.core.errors import BadInput
from badood.core.noise import generator
from badood.core.progress import Progress, Silent
from badood.core.rows import evenly
from badood.data.fingerprint import fingerprint
from badood.data.record import ImageSet
from badood.data.splits import load
from badood.encode.features import encode
from badood.pipeline.cards import belongs_to, card_path
from badood.pipeline.fit_check import Figures
from badood.pipeline.fit_figures import IMAGES, clip_top1, decode_consistency, measure, nearest, psnr
from badood.pipeline.models import MODELS, Model, Models, weights_key
from badood.pipeline.recipe import Plan, planned
from badood.pipeline.train import train_model, training_key
from badood.pipeline.wish import Wish


@dataclass(frozen=True)
class OwnModels:
    """Models for images of one's own.

    Attributes:
        folder: of the weights. preset: file of the preset that has them. before: figures of the models that they started from, or none.
        after: their own figures, on test images. kept: given models that stayed as they were, with the reason.
        command: what uses them.
    """

    folder: Path
    preset: Path
    before: Figures | None
    after: Figures
    kept: Mapping[Model, str]
    command: str

    @property
    def told(self) -> str:
        """What came out, in lines."""
        lines = [f"models in {self.folder}"] + [f"  {model} stayed as given: {why}" for model, why in self.kept.items()]
        lines += [] if self.before is None else [f"before: {self.before}"]
        lines += [f"after:  {self.after}"]
        if self.after.misfit:
            lines.append(f"they do not fit: {self.after.misfit}. Take outliers that something else made, or more images and steps.")
        elif self.before is not None and self.before.lift > self.after.lift:
            lines.append("the given models keep the class more often: prefer them.")
        return "\n".join([*lines, f"use them: {self.command}"])

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        figures = {name: None if each is None else vars(each) for name, each in (("before", self.before), ("after", self.after))}
        return {"folder": str(self.folder), "preset": str(self.preset), "kept": dict(self.kept), "command": self.command, **figures}


def begin_all(wish: Wish, *, replace: bool = False) -> Plan:
    """The plan of a wish. A wish that was begun goes on by its first plan, so that what is finished is not trained again.

    Args:
        replace: remove models of another wish that lie in the folder.

    Raises:
        BadInput: models of another wish, or of other images, lie there.
    """
    place = wish.folder / "plan.json"
    before = read_json(place) if place.exists() else None
    same = {"wish": wish.to_json(), "images": _images_key(wish)}
    if before is not None and before["same"] == same and not replace:
        cfg = load_config(str(wish.folder / "preset.yaml"))
        return Plan(
            cfg, wish.given, before["kept"], **{key: before[key] for key in ("images", "steps", "seconds", "weights_mb", "checkpoint_mb")}
        )
    lying = [wish.folder / f"{model}.safetensors" for model in MODELS]
    if any(each.exists() for each in lying) and not replace:
        raise BadInput(
            f"{wish.folder} has models that were made of other images or settings; they are kept. Give another --name, or --replace."
        )
    plan = planned(wish)
    wish.folder.mkdir(parents=True, exist_ok=True)
    for each in lying:
        each.unlink(missing_ok=True)
        card_path(each).unlink(missing_ok=True)
    _write_preset(plan.cfg, wish.folder / "preset.yaml")
    told = {key: getattr(plan, key) for key in ("images", "steps", "seconds", "weights_mb", "checkpoint_mb")}
    write_json(place, {"same": same, "kept": dict(plan.kept), **told})
    return plan


def train_all(wish: Wish, plan: Plan, progress: Progress | None = None) -> OwnModels:
    """Train the models of a plan, one after the other. What was finished before a cut is not done again.

    A model that starts from given weights, and reaches less on test images than they do, is left as given.
    """
    cfg, start, progress = plan.cfg, plan.start, progress or Silent()
    test = load(cfg.data.test, None)
    test = test.take(evenly(len(test), IMAGES))
    kept = dict(plan.kept)
    with alone(wish.folder / "training"):
        for model in MODELS:
            if model in kept and start is not None:
                _take(cfg, start, model, kept[model])
                continue
            path = train_model(cfg, model, progress, start=start)
            if "kept" in (card := read_json(card_path(path))):  # by an earlier call
                kept[model] = card["kept"]
            elif start is not None and (worse := _worse(cfg, start, model, test)):
                kept[model] = worse
                _take(cfg, start, model, worse)
    after = _measured(cfg, test, progress)
    before = None if start is None else _measured(start, test, progress)
    write_json(wish.folder / "figures.json", {"before": None if before is None else vars(before), "after": vars(after)})
    preset = wish.folder / "preset.yaml"
    return OwnModels(wish.folder, preset, before, after, kept, f"badood run --preset {preset} --data {wish.data}")


def _measured(cfg: Config, test: ImageSet, progress: Progress) -> Figures:
    return measure(Models(cfg), test.pixels(cfg.data.image_size), test.labels, test.classes, progress)


def _take(cfg: Config, start: Config, model: Model, why: str) -> None:
    """A given model as it is, with a card that says so."""
    given, path = weights_path(start, model), weights_path(cfg, model)
    card = read_json(card_path(given)) if card_path(given).exists() else {"model": model}
    with atomic_file(path) as part:
        shutil.copyfile(given, part)
    told = {"key": weights_key(cfg, model), **belongs_to(cfg, model), "training": training_key(cfg, model, start)}
    write_json(card_path(path), card | told | {"kept": why})


def _worse(cfg: Config, start: Config, model: Model, test: ImageSet) -> str:
    """How much less a trained model reaches than the given one among the others of its folder; empty where it does not."""
    place = {"weights": str(weights_path(start, model))}
    given = cfg.model_copy(update={model: getattr(cfg, model).model_copy(update=place)})
    trained, before = REACHED[model](Models(cfg), test), REACHED[model](Models(given), test)
    return "" if trained >= before else f"it reached {before:.3f} on test images, and {trained:.3f} when it was trained further"


def _knn(models: Models, test: ImageSet) -> float:
    z0 = encode(models.encoder, test.pixels(models.cfg.data.image_size), models.compute)
    return float((nearest(z0, z0, test.labels, np.arange(len(test))) == test.labels).mean())


def _denoising(models: Models, test: ImageSet) -> float:
    """The RDM's error, negative, at the same noise for every model."""
    compute, rdm = models.compute, models.rdm
    z0 = encode(models.encoder, test.pixels(models.cfg.data.image_size), compute)
    draw = generator(0, "denoising", 0)
    t, noise = torch.randint(len(rdm.schedule), (len(z0),), generator=draw), torch.randn(z0.shape, generator=draw)
    labels = torch.from_numpy(test.labels) if models.cfg.rdm.classes else None
    with torch.inference_mode(), compute.autocast():
        label = None if labels is None else compute.put(labels)
        return -float(rdm.loss(compute.put(z0) * rdm.input_scale, compute.put(t), compute.put(noise), label))


def _rebuilding(models: Models, test: ImageSet) -> float:
    pixels = test.pixels(models.cfg.tokenizer.image_size)
    return psnr(models.rebuild(pixels), pixels)


def _decoding(models: Models, test: ImageSet) -> float:
    return decode_consistency(models, test.pixels(models.cfg.data.image_size), test.labels)


def _naming(models: Models, test: ImageSet) -> float:
    return clip_top1(models, test.pixels(models.cfg.data.image_size), test.labels, test.classes)


REACHED: dict[Model, Callable[[Models, ImageSet], float]] = {
    "encoder": _knn,
    "rdm": _denoising,
    "tokenizer": _rebuilding,
    "mage": _decoding,
    "clip": _naming,
}
"""What a model reaches on test images; larger is better."""


def _images_key(wish: Wish) -> str:
    return fingerprint(Source(dataset=wish.reader, path=str(wish.data.expanduser().resolve())), None)


def _write_preset(cfg: Config, path: Path) -> None:
    """A whole preset as YAML."""
    head = f"# Models trained on {cfg.data.train.path}: badood run --preset {path} --data {cfg.data.train.path}\n"
    with atomic_file(path) as part:
        part.write_text(head + yaml.safe_dump(cfg.model_dump(mode="json"), sort_keys=False, width=140))
