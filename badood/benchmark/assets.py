"""What the models of a preset reach: `python -m badood check-assets`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from badood.config import Config
from badood.core.artefacts import atomic_file, read_json, write_json
from badood.core.compute import Compute
from badood.core.noise import Noise
from badood.core.places import results
from badood.core.progress import Progress, Silent
from badood.core.rows import evenly
from badood.data.record import ImageSet
from badood.data.splits import load
from badood.decode.vqgan import as_input, to_pixels
from badood.encode.features import encode
from badood.evaluate.clip import zero_shot
from badood.evaluate.ood_types import TYPES, certainty, ood_types, positions, tempered, vocabulary
from badood.evaluate.probe import MENDS, probed
from badood.outliers.embedded import Embedded, anchors
from badood.outliers.source import Given
from badood.pipeline.cards import check_cards
from badood.pipeline.fit_figures import clip_top1, psnr
from badood.pipeline.models import MODELS, Models
from badood.pipeline.preflight import base_of
from badood.synthesise import synthesiser
from badood.synthesise.guidance import minority_score

PROBES = {"probe_rebuilt": "rebuilt", "probe_decoded": "decoded"}
PROBED = 3000
SHOWN = 100
ENLARGED = 2
NEIGHBOURS = 20
SCALES = (0.0, 0.025, 0.05, 0.075)
_ANCHORS = 500
_SEED = 0


def check(cfg: Config, progress: Progress | None = None, *, picture: Path | None = None) -> dict[str, Any]:
    """Measure the preset's models on its test images.

    Args:
        picture: where a picture of 100 outliers goes; none = it is not made.

    Returns:
        knn_accuracy: share of test images whose class 20 nearest training images name, on z0.
        psnr_db: mean over test images of the tokenizer's reconstruction, in dB.
        psnr_unrounded_db: the same where its vectors are not rounded to codes. code_perplexity: of the codes of test images; at most their number.
        rebuilt_consistency: share of 500 test anchors whose reconstruction by the tokenizer is given the anchor's class by k-NN: what no
            MAGE can go far beyond.
        decode_consistency: share of the same 500 anchors whose decoded z0, encoded again, is given the anchor's class by k-NN.
        clip_top1: zero-shot accuracy on test images over the preset's whole vocabulary.
        types_right, recognisable_missed: where a shift grid of the ID classes tells the truth. Share of the images without semantic shift that are
            typed OOD-I and of those that became another class that are typed OOD-II, up to the covariate level of half way; share of these that
            are typed OOD-III.
        probe_rebuilt, probe_decoded: by what is done to both sides, how often a small network tells test images from their reconstruction by the
            tokenizer, and anchors from their decoded z0; 0.5 = it cannot.
        minority_score_by_scale: mean minority score of outliers of the same 500 anchors at guidance 0, 0.025, 0.05, 0.075.
    """
    progress = progress or Silent()
    check_cards(cfg, MODELS)
    models, size = Models(cfg), cfg.data.image_size
    compute = models.compute
    train, test = load(cfg.data.train, None), load(cfg.data.test, None)
    pixels = test.pixels(size)
    z0 = encode(models.encoder, pixels, compute, progress=progress)
    learnt = encode(models.encoder, train.pixels(size), compute, progress=progress)
    vote = nearest_classes(learnt, train.labels)
    rows = anchors(test.labels, min(_ANCHORS, len(test)), _SEED)
    noise = Noise(_SEED, rows)
    anchor, labels = z0[rows], torch.from_numpy(test.labels[rows])
    decoded = models.decode(anchor, noise, progress)
    originals = test.pixels(cfg.tokenizer.image_size)
    codes = models.codes(originals, progress)
    rebuilt = models.of_codes(codes, progress)
    if picture is not None:
        contact_sheet(models, train, learnt, picture, progress)

    def consistency(made: Tensor) -> float:
        return float((vote.predict(encode(models.encoder, made, compute).numpy()) == test.labels[rows]).mean())

    return {
        "knn_accuracy": float((vote.predict(z0.numpy()) == test.labels).mean()),
        "psnr_db": psnr(rebuilt, originals),
        "psnr_unrounded_db": psnr(_unrounded(models, originals), originals),
        "code_perplexity": _perplexity(codes),
        "rebuilt_consistency": consistency(rebuilt[torch.from_numpy(rows)]),
        "decode_consistency": consistency(decoded),
        "clip_top1": clip_top1(models, pixels, test.labels, test.classes),
        **type_agreement(models, test.classes),
        "probe_rebuilt": told_apart(originals, rebuilt, compute, progress),
        "probe_decoded": told_apart(originals[torch.from_numpy(rows)], decoded, compute, progress),
        "minority_score_by_scale": [
            _mean_minority_score(cfg, models, compute.put(anchor), compute.put(labels), scale, noise) for scale in SCALES
        ],
    }


def _unrounded(models: Models, pixels: Tensor) -> Tensor:
    """The tokenizer's reconstruction from vectors that are not rounded to codes."""
    vqgan = models.vqgan
    return models.compute.map(
        lambda part: to_pixels(vqgan.decode(vqgan.encoder(as_input(part)))), pixels, models.tokenizer_batch, stage="unrounded"
    )


def _perplexity(codes: Tensor) -> float:
    """How many codes, evenly used, would be as hard to foretell."""
    share = torch.bincount(codes.flatten()) / codes.numel()
    return float(torch.special.entr(share).sum().exp())


def told_apart(real: Tensor, made: Tensor, compute: Compute, progress: Progress | None = None) -> dict[str, float]:
    """By the name of a mend, how often images are told from what a model made of them; at most `PROBED` of each."""
    rows = torch.from_numpy(evenly(len(real), PROBED))
    real, made = real[rows], made[rows]
    return {name: probed(mend(real), mend(made), compute, progress=progress).mean for name, mend in MENDS.items()}


def contact_sheet(models: Models, train: ImageSet, z0: Tensor, path: Path, progress: Progress, shown: int = SHOWN) -> None:
    """Write outliers of the preset as one PNG of ten columns, guidance scale after guidance scale.

    Args:
        train: ID images, whose embeddings are `z0`, (N, D). shown: outliers.
    """
    cfg = models.cfg
    enough = cfg.synthesise.model_copy(update={"count": shown + len(cfg.synthesise.scales)})
    source = Embedded.of(cfg.model_copy(update={"synthesise": enough}), cfg.outliers[0])
    given = Given(cfg.data.image_size, models.compute, progress, train.labels, train.classes, train.ids, z0, models)
    images = torch.cat([torch.from_numpy(group.images) for group in source.groups(given, 0)])[:shown]
    larger = images.repeat_interleave(ENLARGED, dim=2).repeat_interleave(ENLARGED, dim=3)
    with atomic_file(path) as part:
        to_pil_image(make_grid(larger, nrow=10)).save(part, format="PNG")


FIGURES = {
    "knn_accuracy": "k-NN (k = 20) accuracy of z0",
    "psnr_db": "tokenizer PSNR, dB",
    "psnr_unrounded_db": "the same without rounding to codes",
    "code_perplexity": "perplexity of its codes",
    "rebuilt_consistency": "the tokenizer's reconstruction keeps its class",
    "decode_consistency": "decoded z0 keeps its class",
    "clip_top1": "small CLIP, zero-shot top-1",
    "types_right": "images of a known level get the right OOD type",
    "recognisable_missed": "recognisable images typed OOD-III",
    "minority_score_by_scale": "minority score at guidance 0, 0.025, 0.05, 0.075",
}


def write(cfg: Config, figures: dict[str, Any], folder: Path | None = None) -> None:
    """Keep the figures as results/assets-PRESET.json, and a table of all presets measured so far as results/assets.md."""
    folder = folder or results()
    write_json(folder / f"assets-{cfg.preset}.json", figures)
    measured = {path.stem.removeprefix("assets-"): read_json(path) for path in sorted(folder.glob("assets-*.json"))}
    lines = [f"| on test images | {' | '.join(measured)} |", "| --- |" + " --- |" * len(measured)]
    for key, text in FIGURES.items():
        lines.append(f"| {text} | " + " | ".join(_cell(reached.get(key)) for reached in measured.values()) + " |")
    sides = [(preset, key) for preset in measured for key in PROBES if measured[preset].get(key)]
    if sides:
        head = " | ".join(f"{preset}, {PROBES[key]}" for preset, key in sides)
        lines += ["", f"| a small network tells them from real ones | {head} |", "| --- |" + " --- |" * len(sides)]
        lines += [f"| {mend} | " + " | ".join(_cell(measured[preset][key].get(mend)) for preset, key in sides) + " |" for mend in MENDS]
    with atomic_file(folder / "assets.md") as part:
        part.write_text("\n".join(lines) + "\n")


def type_agreement(models: Models, classes: Sequence[str]) -> dict[str, float]:
    """See `check`; empty where the preset has no shift grid of its ID classes."""
    cfg = models.cfg
    grid = None if cfg.data.grid is None else load(cfg.data.grid, base_of(cfg))
    if grid is None or tuple(grid.classes) != tuple(classes) or cfg.clip.styles is None:
        return {}
    names, size = vocabulary(classes, cfg.clip.vocabulary), cfg.data.image_size

    def probabilities(images: ImageSet) -> NDArray[np.float32]:
        return np.asarray(zero_shot(models.clip, images.pixels(size), names, cfg.clip.templates, models.compute).numpy())

    styles, position = load(cfg.clip.styles, base_of(cfg)), positions(classes, names)
    temperature, tau = certainty(probabilities(styles), positions(styles.classes, names)[styles.labels], cfg.clip)
    typed = ood_types(tempered(probabilities(grid), temperature), position[grid.labels], position, names, tau)["ood_type"].to_numpy()
    semantic, covariate = grid.levels["semantic"], grid.levels["covariate"]
    plain = covariate <= covariate.max() / 2
    own, other = typed[plain & (semantic == 0)], typed[plain & (semantic == semantic.max())]
    truth = np.concatenate([own == TYPES[0], other == TYPES[1]])
    return {"types_right": float(truth.mean()), "recognisable_missed": float((np.concatenate([own, other]) == TYPES[2]).mean())}


def _cell(value: float | list[float] | None) -> str:
    """Shares as percent, decibels and scores as they are; a dash where nothing was measured."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(f"{each:.2f}" for each in value)
    return f"{100 * value:.1f} %" if value <= 1 else f"{value:.1f}"


def nearest_classes(z0: Tensor, labels: NDArray[np.int64]) -> KNeighborsClassifier:
    """The k-NN classifier of self-supervised learning: 20 neighbours by cosine, votes weighted by exp(cosine / 0.07).

    Source: Wu et al. 2018, as MoCo and DINO report it.
    """
    vote = KNeighborsClassifier(n_neighbors=NEIGHBOURS, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    return vote.fit(z0.numpy(), labels)


def _mean_minority_score(cfg: Config, models: Models, z0: Tensor, labels: Tensor, scale: float, noise: Noise) -> float:
    """Mean minority score of outliers of the anchors; the noise is the same at every scale."""
    method = synthesiser.make("minority", {**cfg.synthesise.params, "scale": scale})
    renoise, samples = cfg.synthesise.score_renoise, cfg.synthesise.score_samples
    with models.compute.autocast():
        z = method.sample(z0, labels, models.rdm, noise)
        return float(minority_score(models.rdm.frozen(labels), z, renoise=renoise, noise=noise, samples=samples).mean())
