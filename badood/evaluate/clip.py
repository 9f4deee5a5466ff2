"""CLIP: how probable each class name is for an image. Radford et al. 2021, through open_clip.

Published models are named; the small presets give a whole open_clip model config, trained here from images and class names.
"""

import gzip
import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer, default_bpe
from torch import Tensor, nn
from torch.nn import functional

import badood.core.whitened  # noqa: F401  one more of timm's models
from badood.core import weights as weights_file
from badood.core.compute import Compute
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.core.rows import Rows
from badood.core.training import Loss

_BYTES_AND_SPECIALS = 2 * 256 + 2
_LARGEST_SCALE = 100.0


@dataclass(frozen=True)
class Clip:
    """An open_clip model with what its inputs need.

    Attributes:
        network: open_clip's CLIP or CustomTextCLIP, an nn.Module.
        tokenize: texts -> (N, L) int64 token ids.
        image_size: height and width of the image tower's input in px.
        mean, std: per-channel normalisation for images in [0, 1].
    """

    network: Any
    tokenize: Callable[[list[str]], Tensor]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def prepare(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 -> (N, 3, image_size, image_size) float32, resized bicubically and normalised."""
        pixels = images.float() / 255
        if pixels.shape[-1] != self.image_size:
            size = (self.image_size, self.image_size)
            pixels = functional.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (pixels.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean) / std

    def image_features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 -> (N, D) features of length 1."""
        return functional.normalize(self.network.encode_image(self.prepare(images)).float(), dim=1)

    def text_features(self, tokens: Tensor) -> Tensor:
        """(N, L) token ids -> (N, D) features of length 1."""
        return functional.normalize(self.network.encode_text(tokens).float(), dim=1)

    def scale(self) -> Tensor:
        """Scalar that cosines are multiplied by before the softmax; capped at 100, as CLIP does."""
        return self.network.logit_scale.exp().clamp(max=_LARGEST_SCALE)


def make_clip(model: str | Mapping[str, Any]) -> Clip:
    """A model with random weights.

    Args:
        model: an open_clip model name, or a whole model config as open_clip's JSON files have it. A config's
            `text_cfg.vocab_size` below 49408 cuts open_clip's byte-pair tokenizer to its first merges.

    Raises:
        BadConfig: open_clip does not know the name or cannot build the config.
    """
    return _from_name(model) if isinstance(model, str) else _from_config(model)


def load_clip(model: str | Mapping[str, Any], weights: Path | str) -> Clip:
    """A model with weights.

    Args:
        model: as for `make_clip`.
        weights: a safetensors file, a published checkpoint, or, for a named model, an open_clip tag (fetched from its hub).

    Raises:
        BadConfig: as for `make_clip`.
        BadWeights: no such file or tag, or it does not fit the model.
    """
    if isinstance(model, str) and str(weights) in open_clip.list_pretrained_tags_by_model(model):
        return _wrap(_create(model, str(weights)), open_clip.get_tokenizer(model))
    clip, path = make_clip(model), Path(weights)
    if path.suffix == ".safetensors" or not path.is_file():
        weights_file.load_strict(clip.network, weights_file.read(path), path)
    else:
        _load_published(clip.network, path)
    return clip


def captions(names: Sequence[str], templates: Sequence[str]) -> list[list[str]]:
    """For every class name its captions, one a template; "_" in a name becomes a space.

    Raises:
        BadConfig: a template has no "{}".
    """
    for template in templates:
        if "{}" not in template:
            raise BadConfig(f'clip.templates: {template!r} has no {{}} for the class name; write it like "a photo of a {{}}.".')
    return [[template.replace("{}", name.replace("_", " ")) for template in templates] for name in names]


def clip_loss(clip: Clip, images: Tensor, labels: Tensor, captions: Sequence[Sequence[str]], compute: Compute) -> Loss:
    """CLIP's symmetric contrastive loss for images that share captions.

    Images of one class have the same caption, so plain InfoNCE would push an image away from its own caption. Here every
    class's caption (a random template a step) stands once in the batch: an image picks its caption among all of them, and a
    caption shares its target evenly among the images it describes.

    Args:
        clip: its network is what `core.training.fit` trains.
        images: (N, 3, H, W) uint8. labels: (N,) int64 positions in `captions`.
        captions: for every class its captions, as `captions` makes them.
    """
    tokens = torch.stack([clip.tokenize(list(texts)) for texts in captions])

    def loss(rows: Tensor, done: float) -> Tensor:
        label = compute.put(labels[rows])
        template = torch.randint(tokens.shape[1], (len(tokens),))
        texts = clip.text_features(compute.put(tokens[torch.arange(len(tokens)), template]))
        features = functional.normalize(clip.network.encode_image(_augment(clip.prepare(compute.put(images[rows])))).float(), dim=1)
        logits = clip.scale() * features @ texts.T
        described, position = torch.unique(label, return_inverse=True)
        share = functional.one_hot(position, len(described)).float().T
        to_images = functional.cross_entropy(logits.T[described], share / share.sum(dim=1, keepdim=True))
        return (functional.cross_entropy(logits, label) + to_images) / 2

    return loss


def zero_shot(clip: Clip, images: Tensor | Rows, names: Sequence[str], templates: Sequence[str], compute: Compute) -> Tensor:
    """Probability of every class name for every image.

    Args:
        images: (N, 3, H, W) uint8, read batch by batch.
        names: K class names, all different.
        templates: prompts with "{}"; the features of a name's prompts are averaged.

    Returns:
        (N, K) float32 on the CPU, rows sum to 1; the softmax has CLIP's own logit scale.

    Raises:
        BadInput: fewer than two names, or a name given twice.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        raise BadInput(f"zero-shot needs two or more different class names, got {len(names)}, twice: {twice}; mend clip.vocabulary.")
    compute.place(clip.network).eval()
    prompts = [text for texts in captions(names, templates) for text in texts]
    texts = compute.map(clip.text_features, clip.tokenize(prompts), 256, stage="clip texts")
    classes = functional.normalize(texts.view(len(names), len(templates), -1).mean(dim=1), dim=1)
    # three float32 copies of the input and about thirty input-sized activations a tower
    rows = compute.batch_size(33 * 12 * clip.image_size**2, 256)
    features = compute.map(clip.image_features, images, rows, stage="clip")
    return (clip.scale().detach().float().cpu() * features @ classes.T).softmax(dim=1)


@cache
def byte_pair_tokenizer(vocab_size: int, context_length: int) -> SimpleTokenizer:
    """open_clip's tokenizer with only the first merges, so that a small model needs no table of 49,408 rows.

    Merges are ordered by frequency, hence the first ones are a byte-pair code themselves; `vocab_size` 514 spells every word.
    """
    if vocab_size < _BYTES_AND_SPECIALS:
        raise BadConfig(f"clip.model text_cfg.vocab_size = {vocab_size}: the bytes alone need {_BYTES_AND_SPECIALS}.")
    with gzip.open(default_bpe(), "rt", encoding="utf-8") as file:
        head = file.read().split("\n")[: 1 + vocab_size - _BYTES_AND_SPECIALS]
    with tempfile.TemporaryDirectory() as folder:
        merges = Path(folder) / "merges.txt.gz"
        merges.write_bytes(gzip.compress("\n".join(head).encode()))
        return SimpleTokenizer(str(merges), context_length=context_length)


def _from_name(model: str) -> Clip:
    if open_clip.get_model_config(model) is None:
        raise BadConfig(f"clip.model = {model!r} is no open_clip model; `open_clip.list_models()` lists them.")
    return _wrap(_create(model, None), open_clip.get_tokenizer(model))


def _from_config(model: Mapping[str, Any]) -> Clip:
    config = deepcopy(dict(model))
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    try:
        network = kind(**config)
    except (TypeError, RuntimeError, KeyError, AssertionError) as error:
        raise BadConfig(f"clip.model cannot be built by open_clip: {error}. Compare it with open_clip's model_configs/*.json.") from error
    return _wrap(network, byte_pair_tokenizer(network.vocab_size, network.context_length))


def _create(model: str, tag: str | None) -> nn.Module:
    try:
        return open_clip.create_model(model, pretrained=tag, pretrained_text=False)
    except (RuntimeError, OSError) as error:
        raise BadWeights(f"open_clip could not load {model} {tag}: {error}. Without a network give clip.weights a file.") from error


def _wrap(network: Any, tokenizer: Callable[[list[str]], Tensor]) -> Clip:
    size = network.visual.image_size
    cfg = getattr(network.visual, "preprocess_cfg", None) or {}
    return Clip(
        network,
        tokenizer,
        size[0] if isinstance(size, tuple) else size,
        tuple(cfg.get("mean") or open_clip.OPENAI_DATASET_MEAN),
        tuple(cfg.get("std") or open_clip.OPENAI_DATASET_STD),
    )


def _load_published(network: nn.Module, path: Path) -> None:
    """open_clip's own reader knows the published layouts; it is told to run no pickled code."""
    try:
        open_clip.load_checkpoint(network, str(path), strict=True, weights_only=True)
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, AssertionError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise BadWeights(
            f"{path} cannot be read as open_clip weights ({reason}); fetch it again, or name the model it was made for."
        ) from error


def _augment(pixels: Tensor) -> Tensor:
    """Flip, zoom in by up to 30 %, shift, sometimes soften, and change light and contrast, a draw an image.

    Softening and light are there because decoded outliers are softer and duller than photographs, and types should not hang on that.
    """
    n = len(pixels)
    draw = torch.rand(7, n, device=pixels.device)
    zoom = 1 - 0.3 * draw[0]
    theta = torch.zeros(n, 2, 3, device=pixels.device)
    theta[:, 0, 0] = zoom * (draw[1] < 0.5).float().mul(2).sub(1)
    theta[:, 1, 1] = zoom
    theta[:, :, 2] = ((1 - zoom + 0.1) * (2 * draw[2:4] - 1)).T
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    soft = functional.interpolate(functional.avg_pool2d(moved, 2), moved.shape[-2:], mode="bilinear")
    softened, light, contrast = (values.view(n, 1, 1, 1) for values in (draw[4] < 0.3, 0.6 * draw[5] - 0.3, 0.7 + 0.6 * draw[6]))
    return torch.where(softened, soft, moved) * contrast + light
