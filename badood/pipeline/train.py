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
from badood.data.splits import fingerprint, load, load_optional
from badood.decode.mage import MAGE, load_mage, mage_loss
from badood.decode.vqgan import VQGAN, load_vqgan, tokenizer_loss
from badood.encode.features import encode, load_encoder
from badood.encode.moco import MoCo, moco_loss, random_crop
from badood.evaluate import clip as zero_shot
from badood.evaluate.ood_types import class_names, vocabulary
from badood.pipeline.cards import belongs_to, card_of, card_path
from badood.pipeline.models import Model, Models, clip_weights, weights_key
from badood.pipeline.preflight import base_of
from badood.synthesise.rdm import RDM, load_rdm, rdm_loss


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


def train_model(cfg: Config, model: Model, progress: Progress | None = None, *, start: Config | None = None, replace: bool = False) -> Path:
    """Train one model of the preset and write its weights with a card beside them.

    A training that was cut off goes on from its checkpoint under `BADOOD_HOME/training`; one that is finished is not done again.

    Args:
        start: settings whose weights it starts from; none = random ones. replace: also where other weights lie in its place.

    Returns:
        Path of the safetensors file, float16; a JSON card of the same name lies beside it.

    Raises:
        BadInput: other weights lie in its place.
        BadWeights: those that it starts from are not there, or of other sizes.
    """
    settings: config.Training = getattr(cfg, model)
    path, key = weights_path(cfg, model), training_key(cfg, model, start)
    checkpoint = home() / "training" / f"{cfg.preset}-{model}-{key}.pt"
    models = Models(cfg)
    first = models.compute.ranks.first
    if models.compute.ranks.agreed(path.exists()) and not replace:
        if (card_of(cfg, model) or {}).get("training") == key:
            return path
        if not checkpoint.exists():
            raise BadInput(
                f"{path} exists and was not made by this training; it is kept. Give a folder of your own (--set weights=FOLDER), or --replace."
            )
    torch.manual_seed(settings.seed)
    task = TASKS[model](models, load(cfg.data.train, None))
    if start is not None:
        begin(task, start, model)
    module = models.compute.place(task.module)
    began = time.perf_counter()
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
            card_path(path).unlink(missing_ok=True)  # which is not this file's
            weights.save(path, shipped, half=True, model=model, preset=cfg.preset)
            write_json(
                card_path(path), card(cfg, model, task, path, time.perf_counter() - began) | _began_with(start, model) | {"training": key}
            )
            checkpoint.unlink(missing_ok=True)
    return path


def training_key(cfg: Config, model: Model, start: Config | None = None) -> str:
    """Of all that decides a model's weights: settings, training images, the models that it learns from, and where it starts."""
    settings = getattr(cfg, model).model_dump(mode="json", exclude={"weights", "checkpoint_seconds"})
    source = cfg.data.train
    others = [cfg.tokenizer.model_dump(exclude={"weights"}), cfg.encoder.dim, cfg.data.image_size]
    return digest(
        model,
        settings,
        others,
        source.model_dump(mode="json", exclude={"path"}),
        fingerprint(source, None),
        belongs_to(cfg, model),
        weights_key(cfg, "encoder") if model == "tokenizer" and cfg.tokenizer.perceptual else None,
        None if start is None else weights_key(start, model),
    )


def begin(task: Task, start: Config, model: Model) -> None:
    """Put given weights into what is to be trained.

    Raises:
        BadWeights: they are of other sizes; every tensor that does not fit is named.
    """
    given, place = given_state(start, model)
    parts = (task.module.encoder, task.module.momentum_encoder) if isinstance(task.module, MoCo) else (task.module,)
    for part in parts:
        weights.load_strict(part, given, place)


def given_state(start: Config, model: Model) -> tuple[dict[str, Tensor], Path | str]:
    """The tensors of a model of other settings, float32, and where they lie."""
    path, sizes = weights_path(start, model), {"codes": start.tokenizer.codes, "side": start.tokenizer.side, "dim": start.encoder.dim}
    match model:
        case "encoder":
            found: nn.Module = load_encoder(path, start.encoder)
        case "rdm":
            found = load_rdm(path, start.rdm, start.encoder.dim)
        case "tokenizer":
            found = load_vqgan(path, start.tokenizer)
        case "mage":
            found = load_mage(path, start.mage, **sizes)
        case "clip":
            return zero_shot.load_clip(start.clip.model, clip_weights(start)).network.state_dict(), clip_weights(start)
    return found.state_dict(), path


def _began_with(start: Config | None, model: Model) -> dict[str, object]:
    return {} if start is None else {"start": {"preset": start.preset, "key": weights_key(start, model)}}


def card(cfg: Config, model: Model, task: Task, path: Path, seconds: float) -> dict[str, object]:
    """Facts about a weights file: data, command, seed, time, size, and the models that it belongs to."""
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
        "key": weights_key(cfg, model),
        **belongs_to(cfg, model),
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
