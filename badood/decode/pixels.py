"""A class-conditional diffusion model in pixels, from the parts of diffusers. Source: Ho et al. 2020; Ho & Salimans 2022."""

import copy
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from badood.config import Pixels
from badood.core import weights
from badood.core.compute import Compute
from badood.core.errors import BadConfig
from badood.core.training import Loss
from badood.decode.diffusion import Diffusion, unet


class PixelDiffusion(Diffusion):
    """A U-Net that says the velocity of noisy images.

    Images are float, -1 to 1, at the model's size. A network says little after as few steps as a CPU takes, so one that sees squares of
    pixels as one position (`cfg.patch`) learns more in the same time.

    Attributes:
        network: as it was at the end of the training. early: as it was at the share `cfg.early` of it.
        classes: number of classes; the class after the last is "no class".
    """

    bounded: ClassVar = True

    def __init__(self, cfg: Pixels, classes: int) -> None:
        """A fresh model.

        Raises:
            BadConfig: the image size is no multiple of what patches and levels divide it by, or a width none of the groups.
        """
        super().__init__()
        unit = cfg.patch << (len(cfg.multipliers) - 1)
        if cfg.image_size % unit:
            raise BadConfig(
                f"pixels.image_size is {cfg.image_size}, expected a multiple of {unit}, for pixels.patch and pixels.multipliers."
            )
        if cfg.channels % cfg.groups:
            raise BadConfig(f"pixels.channels is {cfg.channels}, expected a multiple of pixels.groups, {cfg.groups}.")
        self.image_size, self.patch, self.width, self.classes = cfg.image_size, cfg.patch, cfg.channels, classes
        self.network = unet(cfg, cfg.image_size // cfg.patch, 3 * cfg.patch**2, num_class_embeds=classes + 1)
        self.early = copy.deepcopy(self.network).requires_grad_(False)

    def keep_early(self) -> None:
        """Take the network as it is now for the early one."""
        self.early.load_state_dict(self.network.state_dict())

    def velocity(self, x_t: Tensor, t: Tensor, label: Tensor, *, early: bool = False) -> Tensor:
        """What a network says of noisy images.

        Args:
            x_t: (N, 3, S, S). t: (N,) int64 diffusion steps. label: (N,) int64 classes; `classes` = none.
            early: ask the network of the early weights.

        Returns:
            (N, 3, S, S) float32.
        """
        network = self.early if early else self.network
        said = network(F.pixel_unshuffle(x_t, self.patch), t, class_labels=label, return_dict=False)[0]
        return F.pixel_shuffle(said.float(), self.patch)

    def as_input(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 images, of any size -> (N, 3, S, S) float32, -1 to 1."""
        return as_input(images, self.image_size)

    def bytes_per_image(self) -> int:
        """About what a network takes of memory for an image: sixteen float32 arrays of the finest level."""
        return 16 * 4 * self.width * (self.image_size // self.patch) ** 2


def as_input(images: Tensor, size: int) -> Tensor:
    """(N, 3, H, W) uint8 -> (N, 3, size, size) float32, -1 to 1."""
    return resized(images.float() / 127.5 - 1, size)


def resized(images: Tensor, size: int) -> Tensor:
    """(N, C, H, W) floats, -1 to 1 -> (N, C, size, size), bicubic with antialiasing, as `record.square` resizes ID images."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bicubic", antialias=True).clamp(-1, 1)


def to_uint8(images: Tensor, size: int) -> Tensor:
    """(N, 3, H, W) floats, -1 to 1 -> (N, 3, size, size) uint8."""
    return resized(images.clamp(-1, 1), size).add(1).mul(127.5).round().to(torch.uint8)


def pixels_loss(model: PixelDiffusion, images: Tensor, labels: Tensor, cfg: Pixels, compute: Compute) -> Loss:
    """What `core.training.fit` minimises: mean squared error of the velocity at a uniform random step.

    Args:
        images: (N, 3, S, S) uint8. labels: (N,) int64.
    """

    def loss(rows: Tensor, done: float) -> Tensor:
        if done <= cfg.early:
            model.keep_early()
        x = model.as_input(compute.put(images[rows]))
        label = compute.put(labels[rows])
        label = torch.where(torch.rand(len(x), device=x.device) < cfg.drop_condition, model.classes, label)
        return model.error(x, lambda x_t, t: model.velocity(x_t, t, label))

    return loss


def load_pixels(path: Path, cfg: Pixels) -> PixelDiffusion:
    """The model of a weights file, which says for how many classes it is.

    Raises:
        BadWeights: the file is missing or does not fit; every tensor that does not fit is named.
    """
    state = weights.read(path)
    table = state.get("network.class_embedding.weight")
    model = PixelDiffusion(cfg, 1 if table is None else len(table) - 1)
    weights.load_strict(model, state, path)
    return model.eval()
