"""The models of a preset: where their weights lie, and each loaded at the first look."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from torch import Tensor

from badood.config import Config, weights_path
from badood.core import weights
from badood.core.artefacts import digest
from badood.core.compute import Compute
from badood.core.noise import Noise
from badood.core.progress import Progress
from badood.core.seeds import derive_seed
from badood.decode import decode_images
from badood.decode.latents import LatentDiffusion, decode_latents, load_latents
from badood.decode.mage import MAGE, load_mage
from badood.decode.pixels import PixelDiffusion, load_pixels
from badood.decode.vqgan import VQGAN, load_vqgan
from badood.encode.features import Encoder, encode, load_encoder
from badood.evaluate import clip as zero_shot
from badood.pipeline.stage import Context
from badood.synthesise.rdm import RDM, load_rdm

Model = Literal["encoder", "rdm", "tokenizer", "mage", "clip"]
MODELS: tuple[Model, ...] = get_args(Model)
"""Those of the path, in the order of their training: the RDM and MAGE learn from the encoder's z0, MAGE from the tokenizer's codes."""
Loadable = Model | Literal["dit", "ldm", "pixels"]
LOADABLE: tuple[Loadable, ...] = (*MODELS, "dit", "ldm", "pixels")
"""All that a run may use: also MAGE's rivals, and what only some sources of outliers draw from."""
Trainable = Loadable | Literal["detector"]
TRAINABLE: tuple[Trainable, ...] = (*LOADABLE, "detector")
"""What a preset has a recipe for: its models, and the classifier that its detectors may start from."""


@dataclass(frozen=True)
class Models:
    """The trained models of a preset, each loaded at the first look, on the device and ready to infer.

    Attributes:
        cfg: the run's settings.
        used: models of which the key speaks: those that a stage looks at.
    """

    cfg: Config
    used: tuple[Loadable, ...] = MODELS

    def only(self, *names: Loadable) -> "Models":
        """The same, for a stage that uses these alone."""
        return replace(self, used=tuple(name for name in LOADABLE if name in names))

    def at(self, ctx: Context) -> "Models":
        """The same, on the device of a stage."""
        placed = replace(self)
        object.__setattr__(placed, "compute", ctx.compute)  # in the place of the cached one
        return placed

    @property
    def key(self) -> str:
        """Of settings and contents of the weights, wherever they lie."""
        return digest(*[(getattr(self.cfg, name).model_dump(exclude={"weights"}), weights_key(self.cfg, name)) for name in self.used])

    @cached_property
    def compute(self) -> Compute:
        """Device and dtype of this machine under the config."""
        return Context(self.cfg.compute).compute

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
    def dit(self) -> LatentDiffusion:
        """z0 and noise -> the tokenizer's latents, by a transformer."""
        return self._latents("dit")

    @cached_property
    def ldm(self) -> LatentDiffusion:
        """z0 and noise -> the tokenizer's latents, by a U-Net."""
        return self._latents("ldm")

    def _latents(self, name: Literal["dit", "ldm"]) -> LatentDiffusion:
        path, section = weights_path(self.cfg, name), getattr(self.cfg, name)
        return self.compute.inference(load_latents(path, section, self.cfg.tokenizer, self.cfg.encoder.dim))

    @cached_property
    def pixels(self) -> PixelDiffusion:
        """Class and noise -> image."""
        path = weights_path(self.cfg, "pixels")
        assert self.cfg.pixels is not None  # or there were no path
        return self.compute.inference(load_pixels(path, self.cfg.pixels))

    @cached_property
    def clip(self) -> zero_shot.Clip:
        """Image and class name -> similarity."""
        return zero_shot.load_clip(self.cfg.clip.model, clip_weights(self.cfg))

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
            if cfg.generator == "mage":
                return decode_images(self.mage, self.vqgan, z[rows], cfg, noise=own, compute=self.compute, progress=progress)
            rival: LatentDiffusion = getattr(self, cfg.generator)
            return decode_latents(rival, self.vqgan, z[rows], cfg, noise=own, compute=self.compute, progress=progress)

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

    @property
    def tokenizer_batch(self) -> int:
        """Images that the tokenizer takes at a time."""
        return self.compute.batch_size(self.vqgan.bytes_per_image(self.cfg.tokenizer.side**2), self.cfg.decode.batch_size)

    def codes(self, pixels: Tensor, progress: Progress | None = None) -> Tensor:
        """The tokenizer's (N, L) int64 codes of (N, 3, S, S) uint8 images, on the CPU."""
        return self.compute.map(self.vqgan.encode_indices, pixels, self.tokenizer_batch, stage="tokenise", progress=progress)

    def of_codes(self, codes: Tensor, progress: Progress | None = None) -> Tensor:
        """(N, 3, S, S) uint8 images of (N, L) codes, on the CPU."""
        return self.compute.map(self.vqgan.decode_indices, codes, self.tokenizer_batch, stage="rebuild", progress=progress)

    def rebuild(self, pixels: Tensor, progress: Progress | None = None) -> Tensor:
        """The tokenizer's reconstruction of (N, 3, S, S) uint8 images, of the same shape and dtype, on the CPU."""
        return self.of_codes(self.codes(pixels, progress), progress)


def weights_key(cfg: Config, model: Trainable) -> str:
    """A key of a model's weights: of the file's content, or the name under which open_clip fetches them."""
    found = clip_weights(cfg) if model == "clip" else weights_path(cfg, model)
    return found if isinstance(found, str) else weights.fingerprint(found)


def clip_weights(cfg: Config) -> Path | str:
    """The file of CLIP's weights; or, where `clip.weights` is one of open_clip's tags for the model, the tag."""
    own = cfg.clip.weights
    if own and isinstance(cfg.clip.model, str) and own in open_clip.list_pretrained_tags_by_model(cfg.clip.model):
        return own
    return weights_path(cfg, "clip")


def missing(cfg: Config, names: tuple[Loadable, ...]) -> dict[Loadable, str]:
    """What weights are not there, in words, by model: path, setting."""
    found: Mapping[Loadable, Any] = {name: clip_weights(cfg) if name == "clip" else weights_path(cfg, name) for name in names}
    return {name: f"{name}: {path} ({name}.weights)" for name, path in found.items() if isinstance(path, Path) and not path.is_file()}
