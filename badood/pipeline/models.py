"""The first half of the path: the five models, trained and loaded. The preset is the recipe."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from badood import config
from badood.config import Config, weights_path
from badood.core import weights
from badood.core.artefacts import digest, home, write_json
from badood.core.compute import Compute, choose
from badood.core.errors import BadInput
from badood.core.progress import Progress, Silent
from badood.core.training import Loss, fit
from badood.data.record import ImageSet
from badood.data.splits import load, load_optional, split_validation
from badood.decode.mage import MAGE, load_mage, mage_loss
from badood.decode.vqgan import VQGAN, load_vqgan, tokenizer_loss
from badood.encode.features import Encoder, encode, load_encoder
from badood.encode.moco import MoCo, moco_loss
from badood.evaluate import clip as zero_shot
from badood.evaluate.ood_types import vocabulary
from badood.synthesise.rdm import RDM, load_rdm, rdm_loss

Model = Literal["encoder", "rdm", "tokenizer", "mage", "clip"]
MODELS: tuple[Model, ...] = get_args(Model)
"""In training order: the RDM and MAGE need the encoder's z0, MAGE needs the tokenizer's codes."""


@dataclass(frozen=True)
class Task:
    """One model to train.

    Attributes:
        module: what learns.
        loss: what it minimises, over `rows` training rows.
        prefix: of the tensors that are shipped.
    """

    module: nn.Module
    loss: Loss
    rows: int
    prefix: str = ""


def compute_of(cfg: Config) -> Compute:
    """Device and dtype on this machine."""
    return choose(cfg.compute.device, cfg.compute.precision, cfg.compute.threads, cfg.compute.memory_gb)


def id_images(cfg: Config) -> tuple[ImageSet, ImageSet, ImageSet]:
    """ID training, validation and test images; the detector, and every model trained here, sees the first part only."""
    train, validation = split_validation(load(cfg.data.train), cfg.data.validation_share, cfg.seed)
    return train, validation, load(cfg.data.test)


def base_folder(cfg: Config) -> Path | None:
    """Where relative paths of the other sources start: the ID data's folder."""
    return Path(cfg.data.train.path) if cfg.data.train.path else None


def train_model(cfg: Config, model: Model, progress: Progress | None = None) -> Path:
    """Train one model of the preset and write its weights with a card beside them.

    A run that was cut off goes on from its checkpoint under `BADOOD_HOME/training`.

    Returns:
        Path of the safetensors file, float16; a JSON card of the same name lies beside it.
    """
    progress = progress or Silent()
    compute = compute_of(cfg)
    settings: config.Training = getattr(cfg, model)
    images = id_images(cfg)[0]
    torch.manual_seed(settings.seed)
    task = TASKS[model](cfg, compute, images)
    module = compute.place(task.module)
    checkpoint = home() / "training" / f"{cfg.preset}-{model}-{digest(settings, cfg.data.train)}.pt"
    start = time.perf_counter()
    state = fit(module, task.loss, task.rows, settings, compute=compute, checkpoint=checkpoint, stage=model, progress=progress)
    path = weights_path(cfg, model)
    shipped = {name.removeprefix(task.prefix): tensor for name, tensor in state.items() if name.startswith(task.prefix)}
    weights.save(path, shipped, half=True, model=model, preset=cfg.preset)
    checkpoint.unlink(missing_ok=True)
    write_json(
        path.with_suffix(".json"),
        {
            "model": model,
            "data": f"{images.name}, {task.rows:,} images",
            "command": f"python -m badood train {model} --preset {cfg.preset}" + (" --data FOLDER" if cfg.data.train.path else ""),
            "seed": settings.seed,
            "seconds_of_last_start": round(time.perf_counter() - start),
            "bytes": path.stat().st_size,
            "parameters": sum(tensor.numel() for tensor in shipped.values()),
            "trained": datetime.date.today().isoformat(),
            "settings": settings.model_dump(mode="json"),
        },
    )
    return path


def load_models_encoder(cfg: Config, compute: Compute) -> Encoder:
    """The encoder, ready to infer."""
    return compute.place(load_encoder(weights_path(cfg, "encoder"), cfg.encoder)).eval()


def _encoder(cfg: Config, compute: Compute, images: ImageSet) -> Task:
    moco = MoCo(cfg.encoder)
    pixels = images.pixels(min(cfg.data.image_size, cfg.encoder.image_size))
    return Task(moco, moco_loss(moco, pixels, compute), len(images), prefix="encoder.")


def _z0(cfg: Config, compute: Compute, images: ImageSet) -> Tensor:
    return encode(load_models_encoder(cfg, compute), images.pixels(cfg.data.image_size), compute)


def _rdm(cfg: Config, compute: Compute, images: ImageSet) -> Task:
    rdm = RDM.of(cfg.rdm, cfg.encoder.dim)
    return Task(rdm, rdm_loss(rdm, _z0(cfg, compute, images)), len(images))


def _tokenizer(cfg: Config, compute: Compute, images: ImageSet) -> Task:
    vqgan = VQGAN.of(cfg.tokenizer)
    return Task(vqgan, tokenizer_loss(vqgan, images.pixels(cfg.tokenizer.image_size)), len(images))


def _mage(cfg: Config, compute: Compute, images: ImageSet) -> Task:
    vqgan = compute.place(load_vqgan(weights_path(cfg, "tokenizer"), cfg.tokenizer)).eval()
    codes = compute.map(vqgan.encode_indices, images.pixels(cfg.tokenizer.image_size), cfg.decode.batch_size, stage="codes")
    mage = MAGE.of(cfg.mage, codes=cfg.tokenizer.codes, side=round(codes.shape[1] ** 0.5), dim=cfg.encoder.dim)
    return Task(mage, mage_loss(mage, codes, _z0(cfg, compute, images)), len(images))


def _clip(cfg: Config, compute: Compute, images: ImageSet) -> Task:
    model = zero_shot.make_clip(cfg.clip.model)
    names = vocabulary(images.classes, cfg.clip.vocabulary)
    sets = [images, *load_optional(cfg.clip.foreign, base_folder(cfg))]
    unknown = sorted({name for part in sets for name in part.classes} - set(names))
    if unknown:
        raise BadInput(f"clip.vocabulary lacks classes of the training images: {', '.join(unknown[:10])}; add them.")
    labels = torch.cat([torch.tensor([names.index(name) for name in part.classes])[torch.from_numpy(part.labels)] for part in sets])
    pixels = torch.cat([part.pixels(cfg.data.image_size) for part in sets])
    loss = zero_shot.clip_loss(model, pixels, labels, zero_shot.captions(names, cfg.clip.templates), compute)
    return Task(model.network, loss, len(pixels))


TASKS: dict[Model, Callable[[Config, Compute, ImageSet], Task]] = {
    "encoder": _encoder,
    "rdm": _rdm,
    "tokenizer": _tokenizer,
    "mage": _mage,
    "clip": _clip,
}

__all__ = ["MODELS", "MAGE", "RDM", "VQGAN", "Model", "base_folder", "compute_of", "id_images", "load_mage", "load_rdm", "load_vqgan", "train_model"]
