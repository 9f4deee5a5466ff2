"""Makes the small run that ships with the library: `python -m tests.tools.example_run`. Half a minute, and as long again to compress."""

import os
import tarfile
import tempfile
from pathlib import Path

from badood.config import load_config
from badood.core.artefacts import atomic_file
from badood.pipeline.example import ARCHIVE, NAME
from badood.pipeline.path import run

SETTINGS = [
    "compute.threads=1",
    "data.train.params.count=400",
    "data.test.params.count=120",
    "data.auxiliary.0.params.count=100",
    *(f"data.ood.{place}.params.count=50" for place in range(3)),
    "data.grid.params.per_cell=1",
    "data.real=null",
    "clip.styles.params.count=100",
    "synthesise.count=150",
    # few images and a narrow network, so that the archive stays small; many epochs, so that it learns them all the same
    "detector.rebuilt_share=0",
    "detector.backbone_params={channels: [32, 64, 128, 128], stem_width: 16}",
    "detector.epochs=40",
    "evaluate.filters=[all,q-mid]",
    "filter.strategy=q-mid",
]


def main() -> None:
    with tempfile.TemporaryDirectory() as store:
        os.environ["BADOOD_HOME"] = store
        made = run(load_config("miniworld", SETTINGS), NAME)
        with atomic_file(ARCHIVE) as part, tarfile.open(part, "w:xz") as archive:
            for path in sorted(made.folder.rglob("*")):
                if path.is_file():
                    archive.add(path, Path(NAME) / path.relative_to(made.folder), filter=_anonymous)
    print(f"wrote {ARCHIVE}, {ARCHIVE.stat().st_size / 1e6:.1f} MB")


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of who made it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
