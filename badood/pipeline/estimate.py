"""Time and memory that a training takes, before it begins."""

import time
from functools import cached_property

from torch import nn

from badood import config
from badood.config import Config
from badood.core.progress import Silent
from badood.core.rows import evenly
from badood.core.training import fit
from badood.data.record import ImageSet
from badood.decode.mage import MAGE
from badood.decode.vqgan import VQGAN
from badood.encode.features import Encoder
from badood.evaluate.clip import make_clip
from badood.pipeline.models import Model, Models
from badood.pipeline.tasks import TASKS
from badood.synthesise.rdm import RDM


class _Untrained(Models):
    """Networks of the right sizes, to take the time of others that learn from them."""

    @cached_property
    def encoder(self) -> Encoder:
        """Random."""
        return self.compute.inference(Encoder(self.cfg.encoder))

    @cached_property
    def vqgan(self) -> VQGAN:
        """Random."""
        return self.compute.inference(VQGAN.of(self.cfg.tokenizer))


class _Stopwatch(Silent):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def seconds_a_step(cfg: Config, model: Model, images: ImageSet) -> float:
    """Seconds that an optimisation step takes on this machine as it is busy now."""
    few = images.take(evenly(len(images), 256))
    settings: config.Training = getattr(cfg, model)
    quick = cfg.model_copy(update={"mage": cfg.mage.model_copy(update={"views": 0}), "clip": cfg.clip.model_copy(update={"foreign": []})})
    models = _Untrained(quick)
    task, watch = TASKS[model](models, few), _Stopwatch()
    module = models.compute.place(task.module)
    three = settings.model_copy(update={"epochs": 3 / max(1, task.rows // min(settings.batch_size, task.rows))})
    fit(module, task.loss, task.rows, three, compute=models.compute, progress=watch)
    return (watch.ends[-1] - watch.ends[0]) / (len(watch.ends) - 1) * max(1.0, settings.batch_size / task.rows)


def parameters(cfg: Config, model: Model) -> int:
    """Numbers in a model's weights."""
    match model:
        case "encoder":
            made: nn.Module = Encoder(cfg.encoder)
        case "rdm":
            made = RDM.of(cfg.rdm, cfg.encoder.dim)
        case "tokenizer":
            made = VQGAN.of(cfg.tokenizer)
        case "mage":
            made = MAGE.of(cfg.mage, codes=cfg.tokenizer.codes, side=cfg.tokenizer.side, dim=cfg.encoder.dim)
        case "clip":
            made = make_clip(cfg.clip.model).network
    return sum(each.numel() for each in made.parameters())
