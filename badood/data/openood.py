"""The protocols of OpenOOD v1.5 as data: which list files make near-OOD, far-OOD and covariate-shifted ID. Source: Zhang et al. 2023.

From `DATA_INFO` of openood/evaluation_api/datasets.py. Near and far OOD are told from ID by the same scores; full spectrum puts the shifted ID
images among the ID test images, and so asks that a detector accept them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from badood.config import NamedSource
from badood.core.errors import BadConfig, BadInput, MissingFiles
from badood.data.published import OPENOOD
from badood.data.splits import check_source
from badood.data.walk import there

CLASSIC, LARGE = "images_classic", "images_largescale"

ARCHIVES = {
    "cifar10": "0.14 GB", "cifar100": "0.14 GB", "tin": "0.24 GB", "mnist": "0.05 GB", "svhn": "0.02 GB", "texture": "0.63 GB",
    "places365": "0.5 GB", "ssb_hard": "1.1 GB", "ninco": "0.67 GB", "inaturalist": "4 GB", "openimage_o": "0.62 GB",
}  # fmt: skip
"""Sizes of OpenOOD's archives, where they are known."""


@dataclass(frozen=True)
class ListFile:
    """Images of a protocol.

    Attributes:
        file: the list, in benchmark_imglist. images: folder of the data root that its paths start at.
        archive: OpenOOD's name of the archive that holds them, and of its folder in `images`.
    """

    file: str
    images: str
    archive: str


@dataclass(frozen=True)
class Protocol:
    """ID images, and what they are held against.

    Attributes:
        classes: of the ID images. id: train, val, test. val_ood: OOD images for choosing hyperparameters. near, far: OOD test sets by name.
        shifted: covariate-shifted ID test sets by name, of the full spectrum; none for CIFAR-100.
    """

    classes: int
    id: Mapping[str, ListFile]
    val_ood: ListFile
    near: Mapping[str, ListFile]
    far: Mapping[str, ListFile]
    shifted: Mapping[str, ListFile] = field(default_factory=dict)


def _small(own: str, other: str, classes: int, shifted: Mapping[str, ListFile]) -> Protocol:
    """CIFAR-10 and CIFAR-100 differ in which is ID, and in which lists of the same names they have."""

    def of(name: str, part: str = "test") -> ListFile:
        return ListFile(f"{own}/{part}_{name}.txt", CLASSIC, name)

    far = {name: of(name) for name in ("mnist", "svhn", "texture", "places365")}
    return Protocol(
        classes,
        {part: of(own, part) for part in ("train", "val", "test")},
        of("tin", "val"),
        {other: of(other), "tin": of("tin")},
        far,
        shifted,
    )


PROTOCOLS: Mapping[str, Protocol] = {
    "cifar10": _small("cifar10", "cifar100", 10, {"cifar10c": ListFile("cifar10/test_cifar10c.txt", CLASSIC, "cifar10c")}),
    "cifar100": _small("cifar100", "cifar10", 100, {}),
    "imagenet200": Protocol(
        200,
        {part: ListFile(f"imagenet200/{part}_imagenet200.txt", LARGE, "imagenet_1k") for part in ("train", "val", "test")},
        ListFile("imagenet200/val_openimage_o.txt", LARGE, "openimage_o"),
        {name: ListFile(f"imagenet200/test_{name}.txt", LARGE, name) for name in ("ssb_hard", "ninco")},
        {
            "inaturalist": ListFile("imagenet200/test_inaturalist.txt", LARGE, "inaturalist"),
            "textures": ListFile("imagenet200/test_textures.txt", CLASSIC, "texture"),
            "openimage_o": ListFile("imagenet200/test_openimage_o.txt", LARGE, "openimage_o"),
        },
        {f"imagenet_{kind}": ListFile(f"imagenet200/test_imagenet200_{kind}.txt", LARGE, f"imagenet_{kind}") for kind in ("v2", "c", "r")},
    ),
}
"""By the ID data set, as OpenOOD calls it."""


@dataclass(frozen=True)
class Member:
    """One set of a protocol.

    Attributes:
        role: "id-train", "id-val", "id-test", "val-ood", "near", "far" or "shifted".
        source: where its images come from; can be read where nothing is missing.
        missing: which files are not there, from where they are had and how large they are; else empty.
    """

    role: str
    source: NamedSource
    missing: str


def members(protocol: str, root: Path) -> list[Member]:
    """Every set of a protocol, with what of it is not there.

    Args:
        protocol: "cifar10", "cifar100" or "imagenet200".
        root: OpenOOD's data root, the folder of benchmark_imglist, images_classic and images_largescale.

    Raises:
        BadConfig: no such protocol; names those there are.
    """
    if protocol not in PROTOCOLS:
        raise BadConfig(f"OpenOOD has no protocol {protocol!r} here; there are {', '.join(PROTOCOLS)}.")
    chosen = PROTOCOLS[protocol]
    ids = [(f"id-{part}", f"{protocol}-{part}", listed) for part, listed in chosen.id.items()]
    val = [("val-ood", f"{chosen.val_ood.archive}-val", chosen.val_ood)]
    tests = [
        (role, name, listed)
        for role, sets in {"near": chosen.near, "far": chosen.far, "shifted": chosen.shifted}.items()
        for name, listed in sets.items()
    ]
    return [_member(role, name, listed, root) for role, name, listed in [*ids, *val, *tests]]


def _member(role: str, name: str, listed: ListFile, root: Path) -> Member:
    path, images = root / "benchmark_imglist" / listed.file, root / listed.images
    source = NamedSource(
        name=name, dataset="imglist", path=str(path), split="train" if role == "id-train" else "test", params={"images": str(images)}
    )
    try:
        check_source(source, None)
    except MissingFiles:
        return Member(role, source, _needs(name, path, images, listed.archive))
    except BadInput as error:
        return Member(role, source, str(error))
    return Member(role, source, "")


def _needs(name: str, path: Path, images: Path, archive: str) -> str:
    needed = [] if there(path) else [f"{path} (in benchmark_imglist.zip, 28 MB)"]
    if there(path) or not there(images / archive):
        needed.append(f"the images in {images / archive} ({archive}.zip, {ARCHIVES.get(archive, 'size not stated')})")
    return f"{name} needs {' and '.join(needed)}, had by {OPENOOD}."
