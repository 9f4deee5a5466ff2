"""Whether models fit images that they were not made for: measured on some hundreds of them, before anything is made with the models.

What is measured is what `badood check-assets` measures of a preset's models on its own images; chance stands beside every figure.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from badood.core.noise import Noise
from badood.core.progress import Progress, Silent
from badood.data.record import ImageSet
from badood.encode.features import encode
from badood.evaluate.clip import zero_shot
from badood.evaluate.ood_types import class_names, vocabulary
from badood.outliers.embedded import anchors
from badood.pipeline.models import Model, Models

MEASURED: tuple[Model, ...] = ("encoder", "tokenizer", "mage", "clip")
"""The RDM is not measured: what it makes is meant to be unlikely."""

IMAGES = 1000
"""Images whose z0 and CLIP's name are looked at, evenly over the classes."""

PROBES = 128
"""Images among them that are rebuilt and decoded; a share of these is known to 4 % (standard error)."""

NEIGHBOURS = 20

GAIN_DB = 4.0
"""By so much the tokenizer's PSNR has to exceed that of images of one colour, the chance level. Measured on photographs of 32 px: MiniWorld's
models 0.7 to 2, CIFAR's 8 to 9; on MiniWorld 12 and 8."""

ENOUGH_DB = 28.0
"""A PSNR that is enough whatever images of one colour reach: of images that hardly differ from such."""

SHARE_KEPT = 0.5
"""Of what k-NN on z0 is right more often than chance on images, decoding has to keep this share. CIFAR's models on photographs: 0.7 to 0.8."""

CERTAINTY = 2.0
"""Decoded images have to be right more often than chance by so many standard errors."""

NAMED = 0.6
"""CLIP knows the classes where it names them so often, on a scale from chance (0) to always (1)."""

CLEARLY = 0.2
"""One set of models fits clearly worse than another where decoding keeps the class less often by this, on a scale from chance (0) to always (1)."""

_SEED = 0


@dataclass(frozen=True)
class Figures:
    """What models reach on images. Shares are in [0, 1].

    Attributes:
        images: looked at. probes: rebuilt and decoded.
        chance: share of the largest class among the probes.
        knn_accuracy: images whose class the nearest other images name, on z0.
        psnr_db: of the tokenizer's reconstruction. flat_psnr_db: of images in their mean colour, which is chance.
        rebuilt_consistency: reconstructions that are given their class by k-NN.
        decode_consistency: decoded z0 that, encoded again, are given their class by k-NN; none where the tokenizer cannot show the images,
            and so no decoding can.
        clip_top1: images that CLIP names rightly, with the classes' names in its vocabulary. clip_chance: one over the number of names.
    """

    images: int
    probes: int
    chance: float
    knn_accuracy: float
    psnr_db: float
    flat_psnr_db: float
    rebuilt_consistency: float
    decode_consistency: float | None
    clip_top1: float
    clip_chance: float

    @property
    def shows(self) -> bool:
        """Whether the tokenizer can show such images."""
        return self.psnr_db >= min(self.flat_psnr_db + GAIN_DB, ENOUGH_DB)

    @property
    def lift(self) -> float:
        """How often decoding keeps the class: 0 = as chance has it, 1 = always."""
        return 0.0 if self.decode_consistency is None else _lift(self.decode_consistency, self.chance)

    @property
    def misfit(self) -> str:
        """Why the models do not fit; empty where they do."""
        if not self.shows:
            return (
                f"the tokenizer's reconstructions reach {self.psnr_db:.1f} dB PSNR, and images of one colour {self.flat_psnr_db:.1f} "
                f"({GAIN_DB:g} more are needed)"
            )
        assert self.decode_consistency is not None
        error = math.sqrt(self.chance * (1 - self.chance) / self.probes)
        least = max(self.chance + CERTAINTY * error, self.chance + SHARE_KEPT * (self.knn_accuracy - self.chance))
        if self.decode_consistency >= least:
            return ""
        return (
            f"{_percent(self.decode_consistency)} of decoded images keep their class ({_percent(least)} needed, chance "
            f"{_percent(self.chance)}), and k-NN on z0 is right for {_percent(self.knn_accuracy)} of the images themselves"
        )

    def __str__(self) -> str:
        decoded = "not measured" if self.decode_consistency is None else _percent(self.decode_consistency)
        return (
            f"PSNR {self.psnr_db:.1f} dB (one colour {self.flat_psnr_db:.1f}); class kept by rebuilding {_percent(self.rebuilt_consistency)}, by "
            f"decoding {decoded} (chance {_percent(self.chance)}, k-NN {_percent(self.knn_accuracy)}); CLIP top-1 {_percent(self.clip_top1)} "
            f"(chance {_percent(self.clip_chance)})"
        )


@dataclass(frozen=True)
class ModelsFit:
    """Figures of one set of models.

    Attributes:
        models: the preset that has them. used: whether they are the run's own.
    """

    models: str
    used: bool
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """As `run.json` keeps it: models, used, fits, verdict (why), figures, and told: a line for people."""
        misfit, unnamed = self.figures.misfit, unnamed_by_clip(self.figures)
        verdict = f"does not fit: {misfit}" if misfit else f"fits{'; ' + unnamed if unnamed else ''}"
        told = f"models of {self.models}{' (used here)' if self.used else ''}: {verdict}. {self.figures}"
        return {
            "models": self.models,
            "used": self.used,
            "fits": not misfit,
            "verdict": verdict,
            "figures": asdict(self.figures),
            "told": told,
        }


def unnamed_by_clip(figures: Figures) -> str:
    """A caution where CLIP hardly knows the classes; empty else. It is none of the generator's, so that it stops nothing."""
    if _lift(figures.clip_top1, figures.clip_chance) >= 0.2:
        return ""
    return f"CLIP names {_percent(figures.clip_top1)} of the images rightly, so that types OOD-I to III say little"


def better(fits: Sequence[ModelsFit]) -> ModelsFit | None:
    """The set of models to take in place of the run's own; none where those are as good as any."""
    own = next(each for each in fits if each.used)
    fitting = [each for each in fits if not each.figures.misfit]
    best = max(fitting, key=lambda each: each.figures.lift, default=None)
    if best is None or best is own:
        return None
    clearly = bool(own.figures.misfit) or best.figures.lift >= own.figures.lift + CLEARLY
    return best if clearly else None


def refusal(fits: Sequence[ModelsFit]) -> str:
    """Why a run does not go on with its models, and what does; empty where they fit as well as any."""
    own, best = next(each for each in fits if each.used), better(fits)
    if best is None and not own.figures.misfit:
        return ""
    fault = f"do not fit these images: {own.figures.misfit}" if own.figures.misfit else f"fit these images clearly worse: {own.figures}"
    instead = (
        "No other models that are here fit either."
        if best is None
        else f"Those of {best.models} fit best: {best.figures}. Take them with --preset {best.models}."
    )
    return (
        f"the models of {own.models} {fault}. {instead} What also does: models of your own (`badood train all --data FOLDER`), outliers that "
        "something else made (--outliers PATH --only-imported), published weights (--preset imagenet100). To go on all the same: "
        "--set fit.accept=true."
    )


def measure(models: Models, pixels: Tensor, labels: NDArray[np.int64], classes: Sequence[str], progress: Progress | None = None) -> Figures:
    """What models reach on images.

    Args:
        models: of which encoder, tokenizer, MAGE and CLIP are used.
        pixels: (N, 3, S, S) uint8, at the models' size. labels: (N,) positions in `classes`.
    """
    compute, progress = models.compute, progress or Silent()
    probes = _probes(labels)
    truth = labels[probes]
    z0 = encode(models.encoder, pixels, compute)
    chance = float(np.bincount(truth).max() / len(truth))

    def consistency(made: Tensor) -> float:
        return float((nearest(encode(models.encoder, made, compute), z0, labels, probes) == truth).mean())

    originals = pixels[torch.from_numpy(probes)]
    rebuilt = models.rebuild(originals, progress)
    flat = originals.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8).expand_as(originals)
    reached = {"psnr_db": psnr(rebuilt, originals), "flat_psnr_db": psnr(flat, originals)}
    shows = reached["psnr_db"] >= min(reached["flat_psnr_db"] + GAIN_DB, ENOUGH_DB)
    decoded = models.decode(z0[torch.from_numpy(probes)], Noise(_SEED, probes), progress) if shows else None
    names = vocabulary(classes, models.cfg.clip.vocabulary)
    return Figures(
        images=len(labels),
        probes=len(probes),
        chance=chance,
        knn_accuracy=float((nearest(z0, z0, labels, np.arange(len(labels))) == labels).mean()),
        **reached,
        rebuilt_consistency=consistency(rebuilt),
        decode_consistency=None if decoded is None else consistency(decoded),
        clip_top1=clip_top1(models, pixels, labels, classes),
        clip_chance=1 / len(names),
    )


def decode_consistency(models: Models, pixels: Tensor, labels: NDArray[np.int64]) -> float:
    """See `Figures`; also where the tokenizer cannot show the images."""
    probes, z0 = _probes(labels), encode(models.encoder, pixels, models.compute)
    decoded = models.decode(z0[torch.from_numpy(probes)], Noise(_SEED, probes))
    return float((nearest(encode(models.encoder, decoded, models.compute), z0, labels, probes) == labels[probes]).mean())


def _probes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return anchors(labels, min(PROBES, len(labels)), _SEED)


def nearest(made: Tensor, z0: Tensor, labels: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that each embedding's nearest images name, without the image that it was made of.

    20 neighbours (fewer where classes are smaller) by cosine, votes weighted by exp(cosine / 0.07). Source: Wu et al. 2018, as MoCo and DINO
    report it.

    Args:
        made: (n, D). z0: (N, D) of images with `labels`. own: (n,) row of the image that an embedding was made of.
    """
    cosine = normalize(made, dim=1) @ normalize(z0, dim=1).T
    cosine[torch.arange(len(made)), torch.from_numpy(own)] = -torch.inf
    sizes = np.bincount(labels)
    k = int(np.clip(np.median(sizes[sizes > 0]) - 1, 1, min(NEIGHBOURS, len(labels) - 1)))
    near = cosine.topk(k, dim=1)
    votes = torch.zeros(len(made), len(sizes))
    votes.scatter_add_(1, torch.from_numpy(labels)[near.indices], ((near.values - 1) / 0.07).exp())
    return np.asarray(votes.argmax(dim=1).numpy())


def psnr(rebuilt: Tensor, pixels: Tensor) -> float:
    """Mean PSNR in dB of (N, 3, S, S) uint8 images and their reconstructions."""
    error = (rebuilt.float() - pixels.float()).square().mean(dim=(1, 2, 3)).clamp_min(1e-3)
    return float((10 * torch.log10(255**2 / error)).mean())


def clip_top1(models: Models, pixels: Tensor, labels: NDArray[np.int64], classes: Sequence[str]) -> float:
    """Zero-shot top-1 accuracy over the classes' names and the preset's whole vocabulary."""
    cfg = models.cfg.clip
    names = vocabulary(classes, cfg.vocabulary)
    position = np.array([names.index(name) for name in class_names(classes)])
    chosen = zero_shot(models.clip, pixels, names, cfg.templates, models.compute).argmax(dim=1)
    return float((chosen.numpy() == position[labels]).mean())


def clip_knows(models: Models, images: ImageSet) -> str:
    """How well CLIP names images, where that is well enough; empty else."""
    reached = clip_top1(models, images.pixels(models.cfg.data.image_size), images.labels, images.classes)
    chance = 1 / len(vocabulary(images.classes, models.cfg.clip.vocabulary))
    return f"it names {_percent(reached)} of the images rightly" if _lift(reached, chance) >= NAMED else ""


def _lift(share: float, chance: float) -> float:
    return (share - chance) / max(1 - chance, 1e-9)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
