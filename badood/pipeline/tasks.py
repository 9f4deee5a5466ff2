"""What each of a preset's models learns, and from what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from badood.core import places, weights
from badood.core.errors import BadInput
from badood.core.training import Loss
from badood.core.whitened import whiten_by
from badood.data.record import ImageSet
from badood.data.splits import load_optional, split_validation
from badood.decode.latents import LatentDiffusion, latents_loss, latents_of
from badood.decode.mage import MAGE, mage_loss
from badood.decode.pixels import PixelDiffusion, pixels_loss
from badood.decode.vqgan import VQGAN, tokenizer_loss
from badood.detect.train import detector_loss, untrained
from badood.encode.features import encode, prepare
from badood.encode.moco import MoCo, moco_loss, random_crop
from badood.evaluate import clip as zero_shot
from badood.evaluate.ood_types import class_names, positions, vocabulary
from badood.pipeline.models import Models, Trainable
from badood.pipeline.preflight import base_of
from badood.synthesise.rdm import RDM, rdm_loss


@dataclass(frozen=True)
class Task:
    """One model to train.

    Attributes:
        module: what learns.
        loss: what it minimises, over `rows` training rows.
        data: names of the image sets it learns from.
        prefix: of the tensors that are shipped.
    """

    module: nn.Module
    loss: Loss
    rows: int
    data: str
    prefix: str = ""


def _encoder(models: Models, data: ImageSet) -> Task:
    moco = MoCo(models.cfg.encoder)
    # views are cut from no more pixels than the encoder sees
    pixels = data.pixels(min(models.cfg.data.image_size, models.cfg.encoder.image_size))
    if models.cfg.encoder.begin_with is None:
        whiten_by(moco, pixels, partial(prepare, size=models.cfg.encoder.image_size))
    else:
        _begin_with_detector(moco, detector_path(models.cfg.encoder.begin_with))
    return Task(moco, moco_loss(moco, pixels, models.compute), len(pixels), data.name, prefix="encoder.")


def detector_path(name: str) -> Path:
    """Where the weights of `encoder.begin_with` lie."""
    return places.placed(Path(name).expanduser())


def _begin_with_detector(moco: MoCo, path: Path) -> None:
    """Put a detector's backbone in the place of the encoder's and of its momentum copy's.

    Raises:
        BadWeights: it is not there, or another network; every tensor that does not fit is named.
    """
    part = "backbone."
    state = {name.removeprefix(part): tensor for name, tensor in weights.read(path).items() if name.startswith(part)}
    for encoder in (moco.encoder, moco.momentum_encoder):
        weights.load_strict(encoder.backbone, state, path)


def _z0(models: Models, data: ImageSet) -> Tensor:
    return encode(models.encoder, data.pixels(models.cfg.data.image_size), models.compute)


def _rdm(models: Models, data: ImageSet) -> Task:
    rdm, z0 = RDM.of(models.cfg.rdm, models.cfg.encoder.dim), _z0(models, data)
    labels = torch.from_numpy(data.labels) if models.cfg.rdm.classes else None
    return Task(rdm, rdm_loss(rdm, z0, models.compute, labels), len(z0), data.name)


def _tokenizer(models: Models, data: ImageSet) -> Task:
    cfg = models.cfg.tokenizer
    vqgan, pixels = VQGAN.of(cfg), data.pixels(cfg.image_size)
    features = models.encoder.features if cfg.perceptual else None
    return Task(vqgan, tokenizer_loss(vqgan, pixels, models.compute, features, cfg.perceptual), len(pixels), data.name)


def _mage(models: Models, data: ImageSet) -> Task:
    cfg, compute = models.cfg, models.compute
    pixels = data.pixels(cfg.tokenizer.image_size)

    codes, z0 = [models.codes(pixels)], [_z0(models, data)]
    for _ in range(cfg.mage.views):
        cuts = (
            random_crop(batch.float(), cfg.mage.view_scale, cfg.tokenizer.image_size)
            for batch in torch.split(pixels, cfg.decode.batch_size)
        )
        view = torch.cat([cut.round().to(torch.uint8) for cut in cuts])
        codes.append(models.codes(view))
        z0.append(encode(models.encoder, view, compute))
    rows = len(pixels) * len(codes)
    mage = MAGE.of(cfg.mage, codes=cfg.tokenizer.codes, side=round(codes[0].shape[1] ** 0.5), dim=cfg.encoder.dim)
    return Task(mage, mage_loss(mage, torch.cat(codes), torch.cat(z0), compute), rows, data.name)


def _latents(model: Literal["dit", "ldm"], models: Models, data: ImageSet) -> Task:
    cfg, compute = models.cfg, models.compute
    section = getattr(cfg, model)
    images, z0 = data.pixels(cfg.tokenizer.image_size), _z0(models, data)
    latents = latents_of(models.vqgan, images, compute, models.tokenizer_batch)
    made = LatentDiffusion.of(section, cfg.tokenizer, cfg.encoder.dim)
    return Task(made, latents_loss(made, latents, z0, section.drop_condition, compute), len(images), data.name)


def _pixels(models: Models, data: ImageSet) -> Task:
    cfg = models.cfg.pixels
    assert cfg is not None  # or its weights had no place
    model, pixels = PixelDiffusion(cfg, len(data.classes)), data.pixels(cfg.image_size)
    return Task(model, pixels_loss(model, pixels, torch.from_numpy(data.labels), cfg, models.compute), len(pixels), data.name)


def _clip(models: Models, data: ImageSet) -> Task:
    cfg = models.cfg
    model = zero_shot.make_clip(cfg.clip.model)
    names = vocabulary(data.classes, cfg.clip.vocabulary)
    sets = [data, *load_optional(cfg.clip.foreign, base_of(cfg))]
    unknown = sorted({name for part in sets for name in class_names(part.classes)} - set(names))
    if unknown:
        raise BadInput(f"clip.vocabulary lacks classes of the training images: {', '.join(unknown[:10])}; add them.")
    labels = torch.cat([torch.from_numpy(positions(part.classes, names)[part.labels]) for part in sets])
    pixels = torch.cat([part.pixels(cfg.data.image_size) for part in sets])
    whiten_by(model.network, pixels, model.prepare)
    loss = zero_shot.clip_loss(model, pixels, labels, zero_shot.captions(names, cfg.clip.templates), models.compute)
    return Task(model.network, loss, len(pixels), ", ".join(part.name for part in sets))


OF_RUNS: Mapping[str, set[str]] = {
    "clip": {"styles", "tau", "recognised"},
    "detector": {
        *(
            "mode",
            "expected_accuracy",
            "mirrored",
            "tuned_epochs",
            "tuned_lr",
            "beta",
            "outlier_share",
            "rebuilt_share",
            "phi",
            "phi_hidden",
        ),
        "head_damping",
    },
}
"""By model, settings of a run that play no part in training it."""


def _detector(models: Models, data: ImageSet) -> Task:
    """A classifier of the ID images that runs train on: those that they hold out stay unseen, so that they can calibrate it."""
    cfg = models.cfg
    train, _ = split_validation(data, cfg.data.validation_share, cfg.data.validation_seed)
    pixels = train.pixels(cfg.data.image_size)
    detector = models.compute.place(untrained(cfg.detector, len(train.classes), pixels))
    loss = detector_loss(detector, pixels, torch.from_numpy(train.labels), None, cfg.detector, models.compute)
    return Task(detector, loss, len(pixels), train.name)


TASKS: dict[Trainable, Callable[[Models, ImageSet], Task]] = {
    "encoder": _encoder,
    "rdm": _rdm,
    "tokenizer": _tokenizer,
    "mage": _mage,
    "clip": _clip,
    "dit": partial(_latents, "dit"),
    "ldm": partial(_latents, "ldm"),
    "pixels": _pixels,
    "detector": _detector,
}
