"""MNIST."""

from pathlib import Path

import numpy as np

from badood.core.errors import BadInput
from badood.data import dataset, files
from badood.data.published import Published
from badood.data.record import ImageSet, from_array, shown

_ABOUT = Published(
    "mnist",
    "Handwritten digits, grey at 28x28, 60,000 train and 10,000 test images. Source: LeCun et al. 1998.",
    ("MNIST/raw",),
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte",
    10_000,
    "12 MB",
    "https://ossci-datasets.s3.amazonaws.com/mnist (unpack the .gz files)",
)
files("mnist")(_ABOUT)


@dataset("mnist")
def mnist(path: Path, split: str) -> ImageSet:
    """Handwritten digits, grey at 28x28, 60,000 train and 10,000 test images. Source: LeCun et al. 1998.

    Args:
        path: folder of torchvision's MNIST/raw.
        split: "train" or "test".

    Raises:
        MissingFiles: it is not there.
        BadInput: one of its four files is missing or damaged.
    """
    from torchvision.datasets import MNIST  # here, because the other data sets load seconds faster without

    place = _ABOUT.place(path, split)
    try:
        raw = MNIST(place.parents[1], train=split == "train", download=False)
    except (RuntimeError, ValueError, OSError, KeyError, AssertionError) as error:  # torchvision's words for missing and for damaged files
        raise BadInput(
            f"{shown(place)}: not the four files of MNIST ({shown(error)}); expected {_ABOUT.inside}, from {_ABOUT.page}."
        ) from error
    grey = raw.data.numpy()[..., None]
    return from_array(f"mnist/{split}", np.broadcast_to(grey, (*grey.shape[:3], 3)), raw.targets.numpy(), tuple(raw.classes))
