"""The small run of MiniWorld that ships with the library: something to look at before anything was made."""

import tarfile
import tempfile
from pathlib import Path

from badood.core.artefacts import disk_errors, home
from badood.core.places import assets
from badood.pipeline.run import Run
from badood.pipeline.runs import open_run

NAME = "example"
ARCHIVE = assets() / "example" / "run.tar.xz"


def open_example() -> Run:
    """The example run, unpacked into the store; one that is there already stays as it is.

    Raises:
        BadInput: the store cannot be written to.
    """
    folder = home() / NAME
    if not folder.exists():
        with disk_errors(folder):
            home().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=home(), prefix=".example.", suffix=".deleted") as hidden:
                with tarfile.open(ARCHIVE) as archive:
                    archive.extractall(hidden, filter="data")
                (Path(hidden) / NAME).rename(folder)
    return open_run(folder)
