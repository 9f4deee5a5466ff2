"""TinyImageNet."""

from pathlib import Path

from badood.core.errors import BadInput
from badood.data import dataset, files
from badood.data.folder import image_files
from badood.data.published import Published
from badood.data.record import ImageSet, shown

_ABOUT = Published(
    "tinyimagenet",
    "200 ImageNet classes at 64x64, 100,000 train and 10,000 validation images. Source: Stanford CS231N.",
    ("tiny-imagenet-200",),
    "train/WNID/images/*.JPEG and val/images/*.JPEG with val/val_annotations.txt",
    10_000,
    "0.25 GB",
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
)
files("tinyimagenet")(_ABOUT)


@dataset("tinyimagenet")
def tinyimagenet(path: Path, split: str) -> ImageSet:
    """200 ImageNet classes at 64x64, 100,000 train and 10,000 validation images. Source: Stanford CS231N.

    Args:
        path: folder that the archive was unpacked in.
        split: "train" or "test"; the validation images, as no others have labels, play "test".

    Raises:
        MissingFiles: it is not there.
        BadInput: a part of it is missing, or no image is readable.
    """
    from pytorch_ood.dataset.img.tinyimagenet import TinyImageNet  # here, because the other data sets load seconds faster without

    place = _ABOUT.place(path, split)
    try:
        raw = TinyImageNet(place.parent, subset="train" if split == "train" else "val", download=False)
    except (OSError, ValueError, KeyError) as error:  # it reads folders and annotations as if they were there
        raise BadInput(f"{shown(place)} is incomplete ({shown(error)}); expected {_ABOUT.inside}: unpack {_ABOUT.page} again.") from error
    by_class: list[list[Path]] = [[] for _ in raw.class_map]
    for file, label in zip(raw.paths, raw.labels, strict=True):
        by_class[label].append(Path(file))
    return image_files(f"tinyimagenet/{split}", place, list(raw.class_map), by_class)
