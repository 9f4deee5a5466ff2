"""OOD sets that are published as a folder of images, or a folder for each class. A further one is an entry here."""

from pathlib import Path

from badood.data import dataset, files
from badood.data.published import OPENOOD, Published
from badood.data.record import ImageSet, Loader

_MOS = "https://github.com/deeplearning-wisc/large_scale_ood"
_ODIN = "https://github.com/facebookresearch/odin"

# pytorch-ood has most of these, but wants the packed archive, by its checksum, beside the unpacked images, and names no class
_FOLDERS = (
    Published(
        "inaturalist",
        "Photos of plants that are no ImageNet class, a subset of iNaturalist. Source: Huang & Li 2021.",
        ("iNaturalist/images", "images_largescale/inaturalist/images", "inaturalist/images"),
        "*.jpg",
        10_000,
        "4 GB",
        f"{_MOS} (iNaturalist.tar.gz)",
    ),
    Published(
        "sun",
        "Scenes that show no ImageNet class, a subset of SUN. Source: Huang & Li 2021.",
        ("SUN/images", "images_largescale/sun/images", "sun/images"),
        "*.jpg",
        10_000,
        "size not stated",
        f"{_MOS} (SUN.tar.gz)",
    ),
    Published(
        "places",
        "Scenes that show no ImageNet class, a subset of Places. Source: Huang & Li 2021.",
        ("Places/images", "images_largescale/places/images", "places/images"),
        "*.jpg",
        10_000,
        "size not stated",
        f"{_MOS} (Places.tar.gz)",
    ),
    Published(
        "dtd",
        "Textures in 47 classes, all of the Describable Textures Dataset. Source: Cimpoi et al. 2014.",
        ("dtd/images", "dtd/dtd/images", "images_classic/texture"),
        "CLASS/*.jpg",
        5_640,
        "0.6 GB",
        "https://www.robots.ox.ac.uk/~vgg/data/dtd (dtd-r1.0.1.tar.gz)",
    ),
    Published(
        "lsun-crop",
        "Small crops of scenes, of the test images of LSUN. Source: Liang et al. 2018.",
        ("LSUN/test", "LSUN_C/test"),
        "*.png",
        10_000,
        "below 50 MB",
        f"{_ODIN} (LSUN.tar.gz)",
    ),
    Published(
        "lsun-resize",
        "Scenes at 32x32, the test images of LSUN. Source: Liang et al. 2018.",
        ("LSUN_resize/LSUN_resize",),
        "*.png",
        10_000,
        "below 50 MB",
        f"{_ODIN} (LSUN_resize.tar.gz)",
    ),
    Published(
        "isun",
        "Scenes at 32x32, all of iSUN. Source: Liang et al. 2018.",
        ("iSUN/iSUN_patches",),
        "*.jpeg",
        8_925,
        "below 50 MB",
        f"{_ODIN} (iSUN.tar.gz)",
    ),
    Published(
        "imagenet-r",
        "Paintings, toys and other renditions of 200 ImageNet classes: shifted ID, not OOD. Source: Hendrycks et al. 2021.",
        ("imagenet-r", "images_largescale/imagenet_r"),
        "WNID/*.jpg",
        30_000,
        "2.2 GB",
        "https://github.com/hendrycks/imagenet-r (imagenet-r.tar)",
    ),
    Published(
        "ssb-hard",
        "Classes of ImageNet-21K that are near those of ImageNet, the hard half of SSB. Source: Vaze et al. 2022.",
        ("ssb_hard", "images_largescale/ssb_hard"),
        "WNID/*.JPEG",
        49_000,
        "1.1 GB",
        f"{OPENOOD} (ssb_hard.zip)",
    ),
    Published(
        "ninco",
        "64 classes of which each image was looked at, so that it shows no ImageNet class. Source: Bitterwolf et al. 2023.",
        ("NINCO/NINCO_OOD_classes", "NINCO_OOD_classes", "images_largescale/ninco"),
        "CLASS/*",
        5_879,
        "0.7 GB (more with the other sets of its archive)",
        "https://zenodo.org/record/8013288 (NINCO_all.tar.gz)",
    ),
    Published(
        "openimage-o",
        "Photos of OpenImages that show no ImageNet class, picked one by one. Source: Wang et al. 2022.",
        ("openimage_o/images", "images_largescale/openimage_o/images", "openimage_o"),
        "*.jpg",
        17_632,
        "0.6 GB",
        f"{OPENOOD} (openimage_o.zip), or the OpenImages test images that https://github.com/haoqiwang/vim lists",
    ),
)


def _reader(about: Published) -> Loader:
    def read(path: Path, split: str) -> ImageSet:
        return about.read(about.place(path, split), split)

    read.__doc__ = about.what
    return read


for each in _FOLDERS:
    files(each.name)(each)
    dataset(each.name)(_reader(each))
