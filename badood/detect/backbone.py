"""The detector: a backbone of any family, a linear head, and phi. Paper sec. 3.4."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from badood import config
from badood.core import weights
from badood.core.errors import BadConfig
from badood.detect.activations import Activations
from badood.detect.backbones.base import family_of
from badood.detect.energy_loss import energy, make_phi

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in [0, 1]."""
AUTO = "auto"
"""As `detector.backbone`: whatever made the given weights."""

Channels = tuple[float, float, float]


class Head(nn.Module):
    """All that a head-mode retrain changes: the linear layer and phi."""

    def __init__(self, width: int, classes: int, cfg: config.Detector) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes)
        self.phi = make_phi(cfg.phi, cfg.phi_hidden)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) features -> (N, C) logits."""
        logits: Tensor = self.linear(features)
        return logits

    def energy(self, features: Tensor) -> Tensor:
        """(N, D) features -> (N,) E(x); larger looks more OOD."""
        return energy(self(features))

    @torch.no_grad()
    def see(self, features: Tensor) -> Activations:
        """The activations of images whose features are known: what `score` gives, without the backbone's pass."""
        logits = self(features)
        return Activations(logits, features, self.linear, phi=self.phi(energy(logits)))


class Detector(nn.Module):
    """Classifier whose energy E(x) tells how far an image is from the ID data.

    Args:
        cfg: its settings; a backbone that is "auto" must have been found by `given.settled`.
        classes: number of ID classes, C.

    Raises:
        BadConfig: no family has such a backbone, or it refuses its arguments.
    """

    mean: Tensor
    std: Tensor
    pixel_std: Channels
    """Standard deviation by which `prepare` divides each colour channel."""

    def __init__(self, cfg: config.Detector, classes: int) -> None:
        super().__init__()
        self.image_size, self.mirrored = cfg.image_size, cfg.mirrored
        if cfg.backbone == AUTO:
            raise BadConfig(
                "detector.backbone = auto takes the network of detector.weights: set those, and detector.mode to tuned or as-is."
            )
        self.family = family_of(cfg.backbone)
        self.backbone = self.family.make(cfg.backbone, cfg.backbone_params)
        self.head = Head(self.family.width(self.backbone), classes, cfg)
        self.normalise_by(cfg.mean or MEAN, cfg.std or STD)

    def normalise_by(self, mean: Channels, std: Channels) -> None:
        """Have `prepare` subtract `mean` and divide by `std`, of RGB in [0, 1]."""
        self.pixel_std = std
        device = next(self.head.parameters()).device
        self.register_buffer("mean", torch.tensor(mean, device=device).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std, device=device).view(1, 3, 1, 1), persistent=False)

    @property
    def stages(self) -> tuple[nn.Module, nn.Module]:
        """The last two stages of the backbone."""
        return self.family.stages(self.backbone)

    def prepare(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) uint8, or float in [0, 1] -> normalised float input of the backbone's size."""
        pixels = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        if pixels.shape[-1] != self.image_size or pixels.shape[-2] != self.image_size:
            # where it enlarges, antialiasing changes nothing but the time
            shrinks = self.image_size < max(pixels.shape[-2:])
            pixels = F.interpolate(pixels, (self.image_size, self.image_size), mode="bilinear", antialias=shrinks)
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def features(self, prepared: Tensor) -> Tensor:
        """Normalised input -> (N, D) pooled features."""
        features: Tensor = self.backbone(prepared)
        if self.mirrored and not self.training:  # the head is linear, so that its logits are the mean of both, too
            features = (features + self.backbone(prepared.flip(-1))) / 2
        return features

    def classify(self, prepared: Tensor) -> Tensor:
        """Normalised input -> (N, C) logits."""
        logits: Tensor = self.head(self.features(prepared))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) images -> (N, C) logits."""
        return self.classify(self.prepare(images))


def save_detector(detector: Detector, path: Path) -> None:
    """Write the detector's weights, atomically."""
    weights.save(path, detector.state_dict())


def load_detector(path: Path, cfg: config.Detector, classes: int) -> Detector:
    """A detector from its weights, in evaluation mode on the CPU.

    Raises:
        BadWeights: the file does not fit these settings; every tensor that differs is listed.
    """
    detector = Detector(cfg, classes)
    weights.load_strict(detector, weights.read(path), path)
    return detector.eval()
