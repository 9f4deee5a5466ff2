"""ImageNet-V2."""

from dataclasses import replace
from pathlib import Path

from badood.core.errors import BadInput
from badood.data import dataset, files
from badood.data.published import Published
from badood.data.record import ImageSet, shown

_ABOUT = Published(
    "imagenet-v2",
    "New photos of the 1,000 ImageNet classes, matched in frequency: shifted ID, not OOD. Source: Recht et al. 2019.",
    ("imagenetv2-matched-frequency-format-val", "images_largescale/imagenet_v2"),
    "NUMBER/*.jpeg",
    10_000,
    "1.3 GB",
    "https://huggingface.co/datasets/vaishaal/ImageNetV2 (imagenetv2-matched-frequency.tar.gz)",
)
files("imagenet-v2")(_ABOUT)


@dataset("imagenet-v2")
def imagenet_v2(path: Path, split: str) -> ImageSet:
    """New photos of the 1,000 ImageNet classes, matched in frequency: shifted ID, not OOD. Source: Recht et al. 2019.

    Its folders are numbered; the classes are called by their WordNet ids, as those of ImageNet.

    Args:
        path: folder that the archive was unpacked in.
        split: unused; all images are for testing.

    Raises:
        MissingFiles: it is not there.
        BadInput: a folder is not called by a number from 0 to 999.
    """
    from timm.data import ImageNetInfo  # here, because the other data sets load seconds faster without

    images = _ABOUT.read(_ABOUT.place(path, split), split)
    ids = dict(enumerate(ImageNetInfo("imagenet-1k").label_names()))
    others = [name for name in images.classes if not name.isdecimal() or int(name) not in ids]
    if others:
        raise BadInput(
            f"imagenet-v2: {shown(path)} has a folder {others[0]!r}; expected one for each class, called 0 to 999. Move it away."
        )
    return replace(images, classes=tuple(ids[int(name)] for name in images.classes))
