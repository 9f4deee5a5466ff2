"""Tiny job kinds, as another package brings them by an entry point."""

import os
from pathlib import Path

from tests.tools.browsing import CHECKOUT

COUNT = '''
import os, time

def count(arguments, progress):
    """Steps of a given length; each leaves a line behind, so that a resume can go on."""
    with open(arguments["file"], "a+") as file:
        file.seek(0)
        for step in range(len(file.readlines()), arguments["steps"]):
            time.sleep(arguments["seconds"])
            print(os.getpid(), file=file, flush=True)
            progress.update("count", step + 1, arguments["steps"], loss=1 / (step + 1))
    return {"steps": arguments["steps"]}
'''


def import_path(package: Path, source: str, *names: str) -> str:
    """PYTHONPATH of processes that find job kinds of these names, which `source` defines, beside ours.

    Args:
        package: folder to write the package into; made.
    """
    info = package / "tiny_kinds-1.dist-info"
    info.mkdir(parents=True)
    (package / "tiny_kinds.py").write_text(source)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-kinds\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[badood.job_kinds]\n" + "".join(f"{name} = tiny_kinds:{name}\n" for name in names))
    return os.pathsep.join([str(package), str(CHECKOUT)])
