"""The first half of the path: the five models, trained and loaded. The preset is the recipe."""

import datetime
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from badood import config
from badood.config import Config, weights_path
from badood.core import weights
from badood.core.artefacts import alone, digest, home, write_json
from badood.core.compute import Compute, choose
from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.core.progress import Progress, Silent
from badood.core.seeds import derive_seed
from badood.core.training import Loss, fit
from badood.data.splits import load_optional
from badood.decode import decode_images
from badood.decode.mage import MAGE, load_mage, mage_loss
from badood.decode.vqgan import VQGAN, load_vqgan, tokenizer_loss
from badood.encode.features import Encoder, encode, load_encoder
from badood.encode.moco import MoCo, moco_loss, random_crop
from badood.evaluate import clip as zero_shot
from badood.evaluate.ood_types import class_names, vocabulary
from badood.pipeline.images import Images
from badood.synthesise.rdm import RDM, load_rdm, rdm_loss

Model = Literal["encoder", "rdm", "tokenizer", "mage", "clip"]
MODELS: tuple[Model, ...] = get_args(Model)
"""The RDM and MAGE learn from the encoder's z0, MAGE from the tokenizer's codes."""
DECODERS: tuple[Model, ...] = ("encoder", "tokenizer", "mage")
"""What `Models.decode` uses."""


@dataclass(frozen=True)
class Models:
    """The trained models of a preset, each loaded at the first look, on the device and ready to infer."""

    cfg: Config

    @cached_property
    def compute(self) -> Compute:
        """Device and dtype of this machine under the config."""
        wish = self.cfg.compute
        return choose(wish.device, wish.precision, wish.threads, wish.memory_gb)

    @cached_property
    def encoder(self) -> Encoder:
        """Image -> projected representation."""
        return self.compute.inference(load_encoder(weights_path(self.cfg, "encoder"), self.cfg.encoder))

    @cached_property
    def rdm(self) -> RDM:
        """Denoiser of z0."""
        return self.compute.inference(load_rdm(weights_path(self.cfg, "rdm"), self.cfg.rdm, self.cfg.encoder.dim), guided=True)

    @cached_property
    def vqgan(self) -> VQGAN:
        """Image <-> codes."""
        return self.compute.inference(load_vqgan(weights_path(self.cfg, "tokenizer"), self.cfg.tokenizer))

    @cached_property
    def mage(self) -> MAGE:
        """z0 -> codes."""
        path = weights_path(self.cfg, "mage")
        tokenizer = self.cfg.tokenizer
        return self.compute.inference(load_mage(path, self.cfg.mage, codes=tokenizer.codes, side=tokenizer.side, dim=self.cfg.encoder.dim))

    @cached_property
    def clip(self) -> zero_shot.Clip:
        """Image and class name -> similarity."""
        return zero_shot.load_clip(self.cfg.clip.model, weights_path(self.cfg, "clip"))

    def decode(self, z: Tensor, noise: Noise, progress: Progress | None = None) -> Tensor:
        """Images of embeddings: of `decode.draws` decodings the one that the encoder places nearest.

        A small MAGE draws many codes at once, and some decodings show something else than their embedding says.

        Args:
            z: (N, dim) float32 on the CPU. noise: of the same rows.

        Returns:
            (N, 3, H, W) uint8 on the CPU.
        """
        cfg = self.cfg.decode

        def draw(rows: NDArray[np.int64], number: int) -> Tensor:
            own = Noise(derive_seed(noise.seed, "draw", number), noise.rows[rows]) if number else noise.take(rows)
            return decode_images(self.mage, self.vqgan, z[rows], cfg, noise=own, compute=self.compute, progress=progress)

        def nearness(images: Tensor, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return torch.cosine_similarity(encode(self.encoder, images, self.compute), z[rows]).numpy()

        rows = np.arange(len(z))
        images = draw(rows, 0)
        if cfg.draws == 1:
            return images
        images = images.clone()  # what inference mode made cannot be written to
        reached = nearness(images, rows)
        for number in range(1, cfg.draws):
            rows = np.flatnonzero(reached < cfg.near)
            if len(rows) == 0:
                break
            drawn = draw(rows, number)
            closer = nearness(drawn, rows)
            better = closer > reached[rows]
            images[rows[better]] = drawn[better]
            reached[rows[better]] = closer[better]
        return images

    def rebuild(self, pixels: Tensor, progress: Progress | None = None) -> Tensor:
        """The tokenizer's reconstruction of (N, 3, S, S) uint8 images, of the same shape and dtype, on the CPU."""
        batch = self.compute.batch_size(self.vqgan.bytes_per_image(self.cfg.tokenizer.side**2), self.cfg.decode.batch_size)
        codes = self.compute.map(self.vqgan.encode_indices, pixels, batch, stage="tokenise", progress=progress)
        return self.compute.map(self.vqgan.decode_indices, codes, batch, stage="rebuild", progress=progress)


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


def train_model(cfg: Config, model: Model, progress: Progress | None = None) -> Path:
    """Train one model of the preset and write its weights with a card beside them.

    A run that was cut off goes on from its checkpoint under `BADOOD_HOME/training`.

    Returns:
        Path of the safetensors file, float16; a JSON card of the same name lies beside it.
    """
    models = Models(cfg)
    settings: config.Training = getattr(cfg, model)
    torch.manual_seed(settings.seed)
    task = TASKS[model](models, Images(cfg))
    module = models.compute.place(task.module)
    checkpoint = home() / "training" / f"{cfg.preset}-{model}-{digest(settings, cfg.data.train)}.pt"
    start = time.perf_counter()
    first, path = models.compute.ranks.first, weights_path(cfg, model)
    with alone(checkpoint) if first else nullcontext():
        state = fit(
            module,
            task.loss,
            task.rows,
            settings,
            compute=models.compute,
            checkpoint=checkpoint,
            stage=model,
            progress=progress or Silent(),
        )
        if first:
            shipped = {name.removeprefix(task.prefix): tensor for name, tensor in state.items() if name.startswith(task.prefix)}
            weights.save(path, shipped, half=True, model=model, preset=cfg.preset)
            checkpoint.unlink(missing_ok=True)
            write_json(path.with_suffix(".json"), card(cfg, model, task, path, time.perf_counter() - start))
    return path


def card(cfg: Config, model: Model, task: Task, path: Path, seconds: float) -> dict[str, object]:
    """Facts about a weights file: data, command, seed, time, size."""
    settings: config.Training = getattr(cfg, model)
    return {
        "model": model,
        "data": task.data,
        "rows": task.rows,
        "command": f"python -m badood train {model} --preset {cfg.preset}" + (" --data FOLDER" if cfg.data.train.path else ""),
        "seed": settings.seed,
        "seconds_since_last_start": round(seconds),
        "bytes": path.stat().st_size,
        "parameters": sum(tensor.numel() for tensor in weights.read(path).values()),
        "trained": datetime.date.today().isoformat(),
        "settings": settings.model_dump(mode="json"),
    }


def _encoder(models: Models, images: Images) -> Task:
    moco = MoCo(models.cfg.encoder)
    # views are cut from no more pixels than the encoder sees
    pixels = images.all_train.pixels(min(models.cfg.data.image_size, models.cfg.encoder.image_size))
    return Task(moco, moco_loss(moco, pixels, models.compute), len(pixels), images.all_train.name, prefix="encoder.")


def _z0(models: Models, images: Images) -> Tensor:
    return encode(models.encoder, images.pixels(images.all_train), models.compute)


def _rdm(models: Models, images: Images) -> Task:
    rdm, z0 = RDM.of(models.cfg.rdm, models.cfg.encoder.dim), _z0(models, images)
    return Task(rdm, rdm_loss(rdm, z0), len(z0), images.all_train.name)


def _tokenizer(models: Models, images: Images) -> Task:
    cfg = models.cfg.tokenizer
    vqgan, pixels = VQGAN.of(cfg), images.all_train.pixels(cfg.image_size)
    features = models.encoder.features if cfg.perceptual else None
    return Task(vqgan, tokenizer_loss(vqgan, pixels, features, cfg.perceptual), len(pixels), images.all_train.name)


def _mage(models: Models, images: Images) -> Task:
    cfg, compute = models.cfg, models.compute
    pixels = images.all_train.pixels(cfg.tokenizer.image_size)

    def tokens(view: Tensor) -> Tensor:
        return compute.map(models.vqgan.encode_indices, view, cfg.decode.batch_size, stage="codes")

    codes, z0 = [tokens(pixels)], [_z0(models, images)]
    for _ in range(cfg.mage.views):
        cuts = (
            random_crop(batch.float(), cfg.mage.view_scale, cfg.tokenizer.image_size)
            for batch in torch.split(pixels, cfg.decode.batch_size)
        )
        view = torch.cat([cut.round().to(torch.uint8) for cut in cuts])
        codes.append(tokens(view))
        z0.append(encode(models.encoder, view, compute))
    rows = len(pixels) * len(codes)
    mage = MAGE.of(cfg.mage, codes=cfg.tokenizer.codes, side=round(codes[0].shape[1] ** 0.5), dim=cfg.encoder.dim)
    return Task(mage, mage_loss(mage, torch.cat(codes), torch.cat(z0)), rows, images.all_train.name)


def _clip(models: Models, images: Images) -> Task:
    cfg = models.cfg
    model = zero_shot.make_clip(cfg.clip.model)
    names = vocabulary(images.all_train.classes, cfg.clip.vocabulary)
    sets = [images.all_train, *load_optional(cfg.clip.foreign, images.base)]
    unknown = sorted({name for part in sets for name in class_names(part.classes)} - set(names))
    if unknown:
        raise BadInput(f"clip.vocabulary lacks classes of the training images: {', '.join(unknown[:10])}; add them.")
    labels = torch.cat(
        [torch.tensor([names.index(name) for name in class_names(part.classes)])[torch.from_numpy(part.labels)] for part in sets]
    )
    pixels = torch.cat([images.pixels(part) for part in sets])
    loss = zero_shot.clip_loss(model, pixels, labels, zero_shot.captions(names, cfg.clip.templates), models.compute)
    return Task(model.network, loss, len(pixels), ", ".join(part.name for part in sets))


TASKS: dict[Model, Callable[[Models, Images], Task]] = {
    "encoder": _encoder,
    "rdm": _rdm,
    "tokenizer": _tokenizer,
    "mage": _mage,
    "clip": _clip,
}
