"""Image sets read once: decoded, cropped and resized to the size of the run, and kept in its folder."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from badood.config import Source
from badood.core.artefacts import digest, write_json
from badood.core.rows import pieces
from badood.data.fingerprint import fingerprint
from badood.data.record import ImageSet, concatenate, square
from badood.data.splits import aligned, load, split_validation
from badood.pipeline.artefacts import Artefact, Images
from badood.pipeline.stage import Context, stage

_CHUNK = 64
"""Images in memory at a time."""


@dataclass(frozen=True)
class Reading:
    """What to read into one image set.

    Attributes:
        name: of the set. sources: where from; labels of several are the positions of the sources.
        base: where relative paths start; none = the working directory.
        size: height and width in px to keep.
        classes: of the ID training images, to which the labels are to be matched by name; none = the set's own.
    """

    name: str
    sources: tuple[Source, ...]
    base: Path | None
    size: int
    classes: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """Of settings and of the files' names, sizes and times; where they lie does not count."""
        read = [(source.model_dump(mode="json", exclude={"path"}), fingerprint(source, self.base)) for source in self.sources]
        return digest(self.name, read, self.size, self.classes)

    def load(self) -> ImageSet:
        """The images, to be read on demand."""
        parts = [load(source, self.base) for source in self.sources]
        found = parts[0] if len(parts) == 1 else concatenate(self.name, _named(parts, self.sources))
        return found if self.classes is None else aligned(found, self.classes, "the ID training images")


def _named(parts: Sequence[ImageSet], sources: Sequence[Source]) -> list[ImageSet]:
    return [part.named(getattr(source, "name", part.name)) for part, source in zip(parts, sources, strict=True)]


@stage("images", version=1, result=Images, shared=False)
def images(out: Path, reading: Reading, ctx: Context) -> None:
    """`images.npy` (N, 3, S, S) uint8, `rows.parquet` (label, id, levels), `set.json` (name, classes, what was left out, a key of the content)."""
    found = reading.load()
    content, sizes = hashlib.blake2b(digest_size=8), Counter[tuple[int, int]]()
    with (out / "images.npy").open("wb") as file:
        shape = (len(found), 3, reading.size, reading.size)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for rows in pieces(len(found), _CHUNK):
            read = [found.read(row) for row in range(rows.start, rows.stop)]
            sizes.update((image.shape[1], image.shape[0]) for image in read)
            pixels = np.stack([square(image, reading.size) for image in read])
            data = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).tobytes()
            content.update(data)
            file.write(data)
            ctx.progress.update(f"read {reading.name}", rows.stop, len(found))
    table = pd.DataFrame({"label": found.labels, "id": found.ids, **found.levels})
    table.to_parquet(out / "rows.parquet")
    content.update(
        repr((found.classes, found.ids, found.labels.tolist(), {name: each.tolist() for name, each in found.levels.items()})).encode()
    )
    write_json(
        out / "set.json",
        {
            "name": found.name,
            "classes": list(found.classes),
            "skipped": [asdict(entry) for entry in found.skipped],
            "content": content.hexdigest(),
            "usual_size": sizes.most_common(1)[0][0],
        },
    )


@dataclass(frozen=True)
class Split(Artefact):
    """Which rows of the ID training images are held out."""


@stage("split", version=1, result=Split, shared=False)
def split(out: Path, every: Images, share: float, seed: int, ctx: Context) -> None:
    """`train.npy` and `validation.npy`: row numbers, disjoint, together everything, `share` of each class for validation."""
    numbered = replace(every.as_set(), levels={"row": np.arange(len(every), dtype=np.float64)})
    for name, part in zip(("train", "validation"), split_validation(numbered, share, seed), strict=True):
        np.save(out / f"{name}.npy", part.levels["row"].astype(np.int64))
