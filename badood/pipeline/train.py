"""The five models, trained. The preset is the recipe."""

import datetime
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from badood import config
from badood.config import Config, weights_path
from badood.core import weights
from badood.core.artefacts import alone, digest, home, write_json
from badood.core.errors import BadInput
from badood.core.progress import Progress, Silent
from badood.core.training import Loss, fit
from badood.data.record import ImageSet
from badood.data.splits import load, load_optional
from badood.decode.mage import MAGE, mage_loss
from badood.decode.vqgan import VQGAN, tokenizer_loss
from badood.encode.features import encode
from badood.encode.moco import MoCo, moco_loss, random_crop
from badood.evaluate import clip as zero_shot
from badood.evaluate.ood_types import class_names, vocabulary
from badood.pipeline.models import Model, Models, weights_key
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


def train_model(cfg: Config, model: Model, progress: Progress | None = None) -> Path:
    """Train one model of the preset and write its weights with a card beside them.

    A run that was cut off goes on from its checkpoint under `BADOOD_HOME/training`.

    Returns:
        Path of the safetensors file, float16; a JSON card of the same name lies beside it.
    """
    models = Models(cfg)
    settings: config.Training = getattr(cfg, model)
    torch.manual_seed(settings.seed)
    task = TASKS[model](models, load(cfg.data.train, None))
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
        # of the encoder whose z0 it learnt from; with another one it would be fed what it never saw
        **({"encoder": weights_key(cfg, "encoder")} if model in ("rdm", "mage") else {}),
    }


def _encoder(models: Models, data: ImageSet) -> Task:
    moco = MoCo(models.cfg.encoder)
    # views are cut from no more pixels than the encoder sees
    pixels = data.pixels(min(models.cfg.data.image_size, models.cfg.encoder.image_size))
    return Task(moco, moco_loss(moco, pixels, models.compute), len(pixels), data.name, prefix="encoder.")


def _z0(models: Models, data: ImageSet) -> Tensor:
    return encode(models.encoder, data.pixels(models.cfg.data.image_size), models.compute)


def _rdm(models: Models, data: ImageSet) -> Task:
    rdm, z0 = RDM.of(models.cfg.rdm, models.cfg.encoder.dim), _z0(models, data)
    labels = torch.from_numpy(data.labels) if models.cfg.rdm.classes else None
    return Task(rdm, rdm_loss(rdm, z0, labels), len(z0), data.name)


def _tokenizer(models: Models, data: ImageSet) -> Task:
    cfg = models.cfg.tokenizer
    vqgan, pixels = VQGAN.of(cfg), data.pixels(cfg.image_size)
    features = models.encoder.features if cfg.perceptual else None
    return Task(vqgan, tokenizer_loss(vqgan, pixels, features, cfg.perceptual), len(pixels), data.name)


def _mage(models: Models, data: ImageSet) -> Task:
    cfg, compute = models.cfg, models.compute
    pixels = data.pixels(cfg.tokenizer.image_size)

    def tokens(view: Tensor) -> Tensor:
        return compute.map(models.vqgan.encode_indices, view, cfg.decode.batch_size, stage="codes")

    codes, z0 = [tokens(pixels)], [_z0(models, data)]
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
    return Task(mage, mage_loss(mage, torch.cat(codes), torch.cat(z0)), rows, data.name)


def _clip(models: Models, data: ImageSet) -> Task:
    cfg = models.cfg
    model = zero_shot.make_clip(cfg.clip.model)
    names = vocabulary(data.classes, cfg.clip.vocabulary)
    sets = [data, *load_optional(cfg.clip.foreign, base_of(cfg))]
    unknown = sorted({name for part in sets for name in class_names(part.classes)} - set(names))
    if unknown:
        raise BadInput(f"clip.vocabulary lacks classes of the training images: {', '.join(unknown[:10])}; add them.")
    labels = torch.cat(
        [torch.tensor([names.index(name) for name in class_names(part.classes)])[torch.from_numpy(part.labels)] for part in sets]
    )
    pixels = torch.cat([part.pixels(cfg.data.image_size) for part in sets])
    loss = zero_shot.clip_loss(model, pixels, labels, zero_shot.captions(names, cfg.clip.templates), models.compute)
    return Task(model.network, loss, len(pixels), ", ".join(part.name for part in sets))


TASKS: dict[Model, Callable[[Models, ImageSet], Task]] = {
    "encoder": _encoder,
    "rdm": _rdm,
    "tokenizer": _tokenizer,
    "mage": _mage,
    "clip": _clip,
}
