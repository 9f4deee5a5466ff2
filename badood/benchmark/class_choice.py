"""Classes of the ID images that are alike, or of which each is varied, by the encoder's embeddings."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from badood.config import Config
from badood.data.splits import load
from badood.encode.features import encode
from badood.pipeline.models import Models

MOST = 10
"""Classes that are chosen, as in the paper; of fewer than twice as many ID classes half of them."""
LOOKED_AT = 50
"""Images of a class by which it is judged."""


def chosen_classes(cfg: Config) -> Mapping[str, list[str]]:
    """By kind the names of ID classes: "random", "similar" (near to one another) and "variable" (whose images are far from one another).

    The same for the same images, encoder and data seed. Nothing but ID training images is looked at.
    """
    images = load(cfg.data.train, None)
    rng = np.random.default_rng([cfg.seed, 0xC1A])
    rows = np.concatenate([rng.permutation(np.flatnonzero(images.labels == label))[:LOOKED_AT] for label in np.unique(images.labels)])
    few, models = images.take(np.sort(rows)), Models(cfg).only("encoder")
    z0 = torch.nn.functional.normalize(encode(models.encoder, few.pixels(cfg.data.image_size), models.compute)).numpy()
    count = min(MOST, len(images.classes) // 2)
    means, spread = class_means(z0, few.labels)
    places = {
        "random": rng.permutation(len(means))[:count],
        "similar": alike(means, count),
        "variable": np.argsort(-spread, kind="stable")[:count],
    }
    names = [images.classes[label] for label in np.unique(few.labels)]
    return {kind: [names[place] for place in sorted(chosen.tolist())] for kind, chosen in places.items()}


def class_means(z0: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(C, D) unit means of classes of (N, D) unit embeddings, and (C,) how far a class's images lie from its mean: 1 - their mean cosine."""
    means = np.stack([z0[labels == label].mean(axis=0) for label in np.unique(labels)])
    length = np.linalg.norm(means, axis=1)
    # the mean cosine with the mean's direction is the length of the mean
    return means / np.maximum(length, 1e-12)[:, None], 1 - length


def alike(means: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """(count,) places of (C, D) unit means that are near to one another: the nearest two, then one after another the nearest to all of them."""
    cosine = means @ means.T
    np.fill_diagonal(cosine, -np.inf)
    chosen = list(np.unravel_index(cosine.argmax(), cosine.shape))[:count]
    while len(chosen) < count:
        nearness = cosine[:, chosen].mean(axis=1)
        nearness[chosen] = -np.inf
        chosen.append(nearness.argmax())
    return np.array(chosen, dtype=np.int64)
