"""What models reach on images, whatever those are of."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from badood.config import Config
from badood.core.noise import Noise
from badood.core.progress import Progress, Silent
from badood.data.record import ImageSet
from badood.encode.features import encode
from badood.evaluate.clip import zero_shot
from badood.evaluate.ood_types import positions, vocabulary
from badood.outliers.embedded import anchors
from badood.pipeline.fit_check import NAMED, Figures, lift_of, percent, shows
from badood.pipeline.models import Loadable, Models

IMAGES = 1000
"""Images whose z0 and CLIP's name are looked at, evenly over the classes."""

PROBES = 128
"""Images among them that are rebuilt and decoded; a share of these is known to 4 % (standard error)."""

NEIGHBOURS = 20

_SEED = 0


def measured_models(cfg: Config) -> tuple[Loadable, ...]:
    """The models that `measure` looks at. The RDM is not among them: what it makes is meant to be unlikely."""
    return ("encoder", "tokenizer", cfg.decode.generator, "clip")


def measure(models: Models, pixels: Tensor, labels: NDArray[np.int64], classes: Sequence[str], progress: Progress | None = None) -> Figures:
    """What models reach on images.

    Args:
        models: of which `measured_models` are used.
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
    reached = {"psnr_db": psnr(rebuilt, originals), "flat_psnr_db": psnr(flat(originals), originals)}
    decodable = shows(**reached)
    decoded = models.decode(z0[torch.from_numpy(probes)], Noise(_SEED, probes), progress) if decodable else None
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


def flat(pixels: Tensor) -> Tensor:
    """Every image in its mean colour."""
    return pixels.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8).expand_as(pixels)


def tokenizer_shows(models: Models, images: ImageSet) -> str:
    """How well the tokenizer rebuilds images, where that is well enough; empty else."""
    pixels = images.pixels(models.cfg.tokenizer.image_size)
    reached, of_one_colour = psnr(models.rebuild(pixels), pixels), psnr(flat(pixels), pixels)
    return f"it rebuilds the images at {reached:.1f} dB PSNR" if shows(reached, of_one_colour) else ""


def clip_top1(models: Models, pixels: Tensor, labels: NDArray[np.int64], classes: Sequence[str]) -> float:
    """Zero-shot top-1 accuracy over the classes' names and the preset's whole vocabulary."""
    cfg = models.cfg.clip
    names = vocabulary(classes, cfg.vocabulary)
    position = positions(classes, names)
    chosen = zero_shot(models.clip, pixels, names, cfg.templates, models.compute).argmax(dim=1)
    return float((chosen.numpy() == position[labels]).mean())


def clip_knows(models: Models, images: ImageSet) -> str:
    """How well CLIP names images, where that is well enough; empty else."""
    reached = clip_top1(models, images.pixels(models.cfg.data.image_size), images.labels, images.classes)
    chance = 1 / len(vocabulary(images.classes, models.cfg.clip.vocabulary))
    return f"it names {percent(reached)} of the images rightly" if lift_of(reached, chance) >= NAMED else ""
