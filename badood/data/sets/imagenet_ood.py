"""ImageNet-OOD."""

from pathlib import Path
from typing import Any

from badood.data import dataset, files
from badood.data.lists import listed_files, read_list
from badood.data.published import Published
from badood.data.record import ImageSet


class _Listed(Published):
    """Published as a list of images of another set."""

    def __call__(self, path: Path | None, split: str, **params: Any) -> list[Path]:
        """The list, and the images that it names."""
        return listed_files(self.place(path, split), params.get("images"))


_ABOUT = _Listed(
    "imagenet-ood",
    "637 classes of ImageNet-21K that are no ImageNet class nor hold one: semantic shift alone. Source: Yang et al. 2024.",
    ("imagenetood.txt", "imagenet-ood/imagenetood.txt"),
    "",
    31_802,
    "a list of 1 MB, and the images that it names, WNID/*.JPEG of ImageNet-21K, beside it or in the folder params.images",
    "https://github.com/princetonvisualai/imagenetood and https://image-net.org",
)
files("imagenet-ood")(_ABOUT)


@dataset("imagenet-ood")
def imagenet_ood(path: Path, split: str, *, images: str | None = None) -> ImageSet:
    """637 classes of ImageNet-21K that are no ImageNet class nor hold one: semantic shift alone. Source: Yang et al. 2024.

    Args:
        path: the list imagenetood.txt, or its folder.
        split: unused; all images are for testing and calibration.
        images: folder of ImageNet-21K, with a folder for each class; none = the list's own.

    Raises:
        MissingFiles: the list, or the images that it names, are not there.
    """
    return read_list(_ABOUT.place(path, split), f"imagenet-ood/{split}", images)
