"""A preset's models, and the classifier that detectors start from, trained. The preset is the recipe."""

import datetime
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from badood import config
from badood.config import Config, weights_path
from badood.core import weights
from badood.core.artefacts import alone, digest, home, write_json
from badood.core.errors import BadConfig, BadInput
from badood.core.progress import Progress, Silent
from badood.core.training import fit
from badood.data.fingerprint import fingerprint
from badood.data.splits import load
from badood.decode.latents import load_latents
from badood.decode.mage import load_mage
from badood.decode.pixels import load_pixels
from badood.decode.vqgan import load_vqgan
from badood.encode.features import load_encoder
from badood.encode.moco import MoCo
from badood.evaluate import clip as zero_shot
from badood.pipeline.cards import belongs_to, card_of, card_path
from badood.pipeline.models import Loadable, Models, Trainable, clip_weights, weights_key
from badood.pipeline.tasks import OF_RUNS, TASKS, Task, detector_path
from badood.synthesise.rdm import load_rdm


def train_model(
    cfg: Config, model: Trainable, progress: Progress | None = None, *, start: Config | None = None, replace: bool = False
) -> Path:
    """Train one model of the preset and write its weights with a card beside them.

    A training that was cut off goes on from its checkpoint under `BADOOD_HOME/training`; one that is finished is not done again.

    Args:
        start: settings whose weights it starts from; none = random ones. replace: also where other weights lie in its place.

    Returns:
        Path of the safetensors file, float16; a JSON card of the same name lies beside it.

    Raises:
        BadConfig: the detector is to start from given weights, which runs do.
        BadInput: other weights lie in its place.
        BadWeights: those that it starts from are not there, or of other sizes.
    """
    if model == "detector" and start is not None:
        raise BadConfig("a classifier that exists is tuned by a run: badood run --detector FILE.")
    path = weights_path(cfg, model)
    settings: config.Training = getattr(cfg, model)
    key = training_key(cfg, model, start)
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
    if start is not None and model != "detector":
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
                card_path(path),
                card(cfg, model, task, path, time.perf_counter() - began, models.compute.device_name())
                | _began_with(start, model)
                | {"training": key},
            )
            checkpoint.unlink(missing_ok=True)
    return path


def training_key(cfg: Config, model: Trainable, start: Config | None = None) -> str:
    """Of all that decides a model's weights: settings, training images, the models that it learns from, and where it starts."""
    aside = {"weights", "checkpoint_seconds"} | OF_RUNS.get(model, set())
    settings = getattr(cfg, model).model_dump(mode="json", exclude=aside)
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
        weights.fingerprint(detector_path(cfg.encoder.begin_with)) if model == "encoder" and cfg.encoder.begin_with else None,
        *([cfg.data.validation_share, cfg.data.validation_seed] if model == "detector" else []),
    )


def begin(task: Task, start: Config, model: Loadable) -> None:
    """Put given weights into what is to be trained.

    Raises:
        BadWeights: they are of other sizes; every tensor that does not fit is named.
    """
    given, place = given_state(start, model)
    parts = (task.module.encoder, task.module.momentum_encoder) if isinstance(task.module, MoCo) else (task.module,)
    for part in parts:
        weights.load_strict(part, given, place)


def given_state(start: Config, model: Loadable) -> tuple[dict[str, Tensor], Path | str]:
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
        case "dit" | "ldm":
            found = load_latents(path, getattr(start, model), start.tokenizer, start.encoder.dim)
        case "pixels":
            assert start.pixels is not None  # or there were no path
            found = load_pixels(path, start.pixels)
        case "clip":
            return zero_shot.load_clip(start.clip.model, clip_weights(start)).network.state_dict(), clip_weights(start)
    return found.state_dict(), path


def _began_with(start: Config | None, model: Trainable) -> dict[str, object]:
    return {} if start is None else {"start": {"preset": start.preset, "key": weights_key(start, model)}}


def card(cfg: Config, model: Trainable, task: Task, path: Path, seconds: float, device: str) -> dict[str, object]:
    """Facts about a weights file: data, command, seed, time and device, size, and the models that it belongs to."""
    settings: config.Training = getattr(cfg, model)
    return {
        "model": model,
        "data": task.data,
        "rows": task.rows,
        "command": f"python -m badood train {model} --preset {cfg.preset}" + (" --data FOLDER" if cfg.data.train.path else ""),
        "seed": settings.seed,
        "seconds_since_last_start": round(seconds),
        "device": device,
        "bytes": path.stat().st_size,
        "parameters": sum(tensor.numel() for tensor in weights.read(path).values()),
        "trained": datetime.date.today().isoformat(),
        "settings": settings.model_dump(mode="json"),
        "key": weights_key(cfg, model),
        **belongs_to(cfg, model),
    }
