"""How well a small network tells images from what a model made of them, by their pixels alone: what a detector can take for a shortcut."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms import v2

from badood.config import Training
from badood.core.compute import Compute
from badood.core.noise import generator
from badood.core.progress import Progress
from badood.core.training import fit
from badood.core.whitened import Whitened, whiten_by
from badood.evaluate.paired import Interval, share_of

LEARNT_FROM = 0.7
"""Share of the images that the probe learns from; by the others it is judged."""
STEPS = 192
TRAINING = Training(epochs=1, batch_size=128, lr=0.004, warmup=0.2, weight_decay=0.05)
WIDTHS = (32, 64, 64)


def through_half_the_size(images: Tensor) -> Tensor:
    """(N, 3, S, S) uint8 shrunk to half its side and enlarged again."""
    side = images.shape[-1]
    smaller = v2.functional.resize(images, [side // 2, side // 2], antialias=True)
    return v2.functional.resize(smaller, [side, side], antialias=True)


NOISE = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.GaussianNoise(sigma=0.1), v2.ToDtype(torch.uint8, scale=True)])

MENDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "as they are": v2.Identity(),
    "as JPEG of quality 30": v2.JPEG(30),
    "through half the size": through_half_the_size,
    "with noise of 0.1": NOISE,
    "through half the size, with noise of 0.1": v2.Compose([through_half_the_size, NOISE]),
}
"""What may be done to both sides alike, so that the way an image was made shows less."""


class Probe(nn.Module):
    """A small convolutional network with one output."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Whitened(WIDTHS)
        self.head = nn.Linear(WIDTHS[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 -> (N,) log-odds of made against real."""
        return self.head(self.backbone(_prepared(images))).flatten().float()


def _prepared(images: Tensor) -> Tensor:
    return ((images.float() / 255 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)


def probed(real: Tensor, made: Tensor, compute: Compute, *, seed: int = 0, progress: Progress | None = None) -> Interval:
    """Share of images, none of which the probe learnt from, that it puts on their side; 0.5 = it cannot tell them apart.

    Args:
        real: (N, 3, S, S) uint8. made: of the same shape, row by row what a model made of them.
    """
    torch.manual_seed(seed)
    order = torch.randperm(len(real), generator=generator(seed, "probe"))
    learnt = round(LEARNT_FROM * len(real))
    images, sides = _both(real, made, order[:learnt])
    probe = Probe()
    whiten_by(probe, images, _prepared)
    probe = compute.place(probe)

    def loss(rows: Tensor, _done: float) -> Tensor:
        pixels = compute.put(images[rows])
        mirrored = torch.rand(len(rows), 1, 1, 1, device=pixels.device) < 0.5
        return F.binary_cross_entropy_with_logits(probe(torch.where(mirrored, pixels.flip(-1), pixels)), compute.put(sides[rows]))

    epochs = STEPS / max(1, len(images) // TRAINING.batch_size)  # as many steps, however few the images
    settings = TRAINING.model_copy(update={"seed": seed, "epochs": epochs})
    probe.load_state_dict(fit(probe, loss, len(images), settings, compute=compute, stage="probe", progress=progress))
    unseen, truth = _both(real, made, order[learnt:])
    named = compute.map(probe.eval(), unseen, 512, stage="probe") > 0
    return share_of(int((named == truth.bool()).sum()), len(truth))


def _both(real: Tensor, made: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Images of both sides, and 0 for real, 1 for made."""
    return torch.cat([real[rows], made[rows]]), torch.cat([torch.zeros(len(rows)), torch.ones(len(rows))])
