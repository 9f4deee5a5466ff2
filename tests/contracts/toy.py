"""Stages of a moment, in a module that a process beside can import."""

import os
import signal
import time
from pathlib import Path

from badood.pipeline.artefacts import Artefact
from badood.pipeline.stage import Context, stage

FLAGS = "BADOOD_TEST_FLAGS"
"""Folder in which those who work meet, and the process id of the one who asks."""


def meet(name: str, parent: int) -> bool:
    """Whether this is a process beside; the one who asks waits until there is one."""
    flag = Path(os.environ[FLAGS]) / name
    if os.getpid() != parent:
        flag.touch()
        return True
    end = time.monotonic() + 120
    while not flag.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return False


@stage("toy", version=1, result=Artefact)
def toy(out: Path, number: int, parent: int, dies: bool, ctx: Context) -> None:
    """`number.txt`. Half of it is written where a process beside dies."""
    beside = meet("met", parent)
    (out / "number.txt").write_text(str(number))
    if beside and dies and not (Path(os.environ[FLAGS]) / "died").exists():
        (Path(os.environ[FLAGS]) / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (out / "attempts.txt").open("w") as file:
        file.write("whole")
