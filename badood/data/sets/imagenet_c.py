"""ImageNet-C."""

from pathlib import Path
from typing import Literal, get_args

from badood.data import dataset, files
from badood.data.published import Published
from badood.data.record import ImageSet

Corruption = Literal[
    "gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise",
    "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur",
    "snow", "frost", "fog", "brightness", "spatter",
    "contrast", "elastic_transform", "pixelate", "jpeg_compression", "saturate",
]  # fmt: skip
Severity = Literal[1, 2, 3, 4, 5]

_ABOUT = Published(
    "imagenet-c",
    "ImageNet's validation images with one corruption at one of five severities: shifted ID, not OOD. Source: Hendrycks & Dietterich 2019.",
    tuple(f"{above}{{corruption}}/{{severity}}" for above in ("imagenet-c/", "ImageNet-C/", "images_largescale/imagenet_c/", "")),
    "WNID/*.JPEG",
    50_000,
    "an archive for each group of corruptions: blur 7 GB, digital 7 GB, weather 12 GB, extra 15 GB, noise 21 GB",
    "https://zenodo.org/record/2235448",
    {"corruption": get_args(Corruption), "severity": get_args(Severity)},
)
files("imagenet-c")(_ABOUT)


@dataset("imagenet-c")
def imagenet_c(path: Path, split: str, *, corruption: Corruption, severity: Severity) -> ImageSet:
    """ImageNet's validation images with one corruption at one of five severities: shifted ID, not OOD. Source: Hendrycks & Dietterich 2019.

    Args:
        path: folder that the archives were unpacked in.
        split: unused; all images are for testing.
        corruption: such as "fog".
        severity: 1 = weakest ... 5.

    Raises:
        MissingFiles: they are not there.
    """
    return _ABOUT.read(_ABOUT.place(path, split, corruption=corruption, severity=severity), split)
