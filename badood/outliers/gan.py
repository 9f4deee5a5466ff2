"""Images of a GAN that a classifier is unsure about."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from badood import config
from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.core.seeds import derive_seed
from badood.core.training import Loss, fit
from badood.decode.pixels import as_input, to_uint8
from badood.outliers.generated import Generated, drawn
from badood.outliers.source import Draw, Given, Group, outlier_source

SMALLEST = 4
"""Side in px at which the generator begins and the judges end."""

CHECKPOINT_SECONDS = 30.0
"""Between checkpoints, of a training of minutes."""


@outlier_source("gan")
@dataclass(config=ConfigDict(extra="forbid"), kw_only=True)
class GAN(Generated):
    """Images at the edge of the ID images, by a GAN that is trained on them first. Source: Lee et al. 2018, eq. 4.

    The generator is to deceive a discriminator, and to leave a classifier of the ID classes as unsure as can be; the classifier learns the
    ID classes, and to be unsure of the generator's images. There, the three take turns and the classifier is the detector itself; here they
    take their steps at once, of one optimiser, the classifier serves the generator alone, groups are normalised in place of batches (an
    image then depends on no other), and the generator's averaged weights draw the outliers.

    Attributes:
        confidence: weight of the classifier's Kullback-Leibler divergence from uniform, beta; 0 = a plain GAN.
        image_size: side in px of the images, 4 times a power of 2; they are resized to the run's.
        channels: width of the layers at that size; it doubles where the size halves. latent: length of the generator's input.
        epochs, batch_size, lr: of the training.
    """

    shared = False  # each worker would train one of its own
    confidence: NonNegativeFloat = 1.0
    image_size: PositiveInt = Field(32, ge=2 * SMALLEST, le=256)
    channels: PositiveInt = Field(32, multiple_of=8)
    latent: PositiveInt = 100
    epochs: PositiveFloat = 20
    batch_size: PositiveInt = Field(64, ge=2)
    lr: PositiveFloat = 0.0005

    def check(self) -> None:
        """See `OutlierSource.check`."""
        halvings = self.image_size // SMALLEST
        if self.image_size % SMALLEST or halvings & (halvings - 1):
            raise BadInput(f"gan: image_size is {self.image_size}, expected {SMALLEST} times a power of 2, such as 32 or 64.")

    def generator(self, given: Given) -> Draw:
        """See `Generated.generator`. Trains first, on from the checkpoint of a training that was cut off."""
        generator = self._trained(given)

        def sample(rows: NDArray[np.int64]) -> Tensor:
            return to_uint8(generator(given.compute.put(Noise(self.seed, rows).normal((self.latent,), "latent"))).float(), given.size)

        def draw(rows: NDArray[np.int64]) -> Group:
            images = drawn(given, rows, sample, 4 * 4 * self.channels * self.image_size**2)
            return Group(images, {"seed": np.full(len(rows), self.seed)})

        return draw

    def _trained(self, given: Given) -> nn.Module:
        """The generator, ready to infer."""
        assert given.images is not None
        settings = config.Training(
            epochs=self.epochs, batch_size=self.batch_size, lr=self.lr, ema=0.99, seed=self.seed, checkpoint_seconds=CHECKPOINT_SECONDS
        )
        torch.manual_seed(derive_seed(self.seed, "gan"))
        players = given.compute.place(Players(self.latent, self.image_size, self.channels, len(given.classes)))
        loss = players_loss(players, given, self.confidence, self.image_size)
        state = fit(
            players,
            loss,
            len(given.labels),
            settings,
            compute=given.compute,
            checkpoint=given.checkpoint,
            stage="gan",
            progress=given.progress,
        )
        players.load_state_dict(state)
        return given.compute.inference(players.generator)


class Players(nn.Module):
    """The three networks of the game, in the layers of DCGAN (Radford et al. 2016).

    Attributes:
        generator: (N, latent) -> (N, 3, S, S), -1 to 1. discriminator: (N, 3, S, S) -> (N, 1) logits, large = real.
        classifier: (N, 3, S, S) -> (N, C) logits.
    """

    def __init__(self, latent: int, size: int, channels: int, classes: int) -> None:
        super().__init__()
        self.latent = latent
        halvings = (size // SMALLEST).bit_length() - 1
        widths = [channels << level for level in range(halvings)]
        self.generator = _generator(latent, widths[::-1])
        self.discriminator = _judge(widths, 1)
        self.classifier = _judge(widths, classes)


def _generator(latent: int, widths: list[int]) -> nn.Sequential:
    """Doubles the size with every width, the widest first, and once more into colours."""
    layers: list[nn.Module] = [nn.Linear(latent, widths[0] * SMALLEST**2), nn.Unflatten(1, (widths[0], SMALLEST, SMALLEST))]
    for inputs, outputs in pairwise(widths):
        layers += [nn.GroupNorm(8, inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)]
    return nn.Sequential(*layers, nn.GroupNorm(8, widths[-1]), nn.ReLU(), nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1), nn.Tanh())


def _judge(widths: list[int], outputs: int) -> nn.Sequential:
    """Halves the size with every width, and ends in logits."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, wider in pairwise(widths):
        layers += [nn.Conv2d(inputs, wider, 4, 2, 1), nn.GroupNorm(8, wider), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * SMALLEST**2, outputs))


def players_loss(players: Players, given: Given, confidence: float, size: int) -> Loss:
    """What `core.training.fit` minimises: the losses of all players, of whose gradients each gets its own.

    Args:
        confidence: beta. size: of the players' images, in px.
    """
    compute, labels = given.compute, torch.from_numpy(given.labels)
    assert given.images is not None
    images = given.images

    def loss(rows: Tensor, done: float) -> Tensor:
        real, label = as_input(compute.put(images[rows]), size), compute.put(labels[rows])
        made = players.generator(torch.randn(len(rows), players.latent, device=real.device))
        fixed = made.detach()
        discriminator = F.softplus(-players.discriminator(real)).mean() + F.softplus(players.discriminator(fixed)).mean()
        classifier = F.cross_entropy(players.classifier(real), label) + confidence * from_uniform(players.classifier(fixed))
        deceives = F.softplus(-_frozen(players.discriminator, made)).mean()
        generator = deceives + confidence * from_uniform(_frozen(players.classifier, made))
        return discriminator + classifier + generator

    return loss


def from_uniform(logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of (N, C) predictions from the uniform distribution, KL(U || p), in nats; a scalar, >= 0."""
    logp = logits.float().log_softmax(dim=1)
    return -logp.mean() - float(np.log(logits.shape[1]))


def _frozen(network: nn.Module, images: Tensor) -> Tensor:
    """What a network says, so that the images learn by it and it does not."""
    return functional_call(network, {name: value.detach() for name, value in network.named_parameters()}, (images,))
