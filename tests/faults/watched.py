"""What no input may do: write elsewhere, start a program, speak to anybody, take much memory, or end in a traceback."""

import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from badood.core.artefacts import home
from badood.core.compute import forget_peak, peak_rss_mb
from badood.core.errors import BadOODError

MOST_MB = 1200.0
"""What one input may take: an image of the largest size that is read, decoded, laid on white, as an array."""

LONGEST = 4000
"""Letters of a message."""

_MOST_SECONDS = 20
_SPARE_BYTES = 4 * 2**30
"""Where the limit of the whole process lies above what it has: the machine must not suffer for what a test finds."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.move"}
_PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "pty.spawn", "socket.connect")


class Overdue(BaseException):
    """An input kept its reader busy for too long."""


_watching: list["Watched"] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching:
        _watching[-1].told(event, arguments)


sys.addaudithook(_hook)  # cannot be taken away again, so there is one, which mostly does nothing


@dataclass
class Watched:
    """A folder in which inputs lie and may be worked on, as may the store; `outside` beside it, to which hostile names lead, has to stay empty.

    Attributes:
        top: an empty folder. tried, refused: inputs so far. peak_mb: the most memory that one took. slowest: seconds of one.
    """

    top: Path
    tried: int = 0
    refused: int = 0
    peak_mb: float = 0.0
    slowest: float = 0.0
    _seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outside.mkdir()
        (self.top / "inside").mkdir()

    @property
    def outside(self) -> Path:
        """Where hostile inputs want to write, relative and absolute."""
        return self.top / "outside"

    def folder(self) -> Path:
        """An empty folder for the next input."""
        made = self.top / "inside" / str(self.tried)
        made.mkdir()
        return made

    def told(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Write down what this process does to others and to files of others."""
        if event.startswith(_PROGRAMS):
            self._seen.append(f"{event} {arguments!r}"[:300])
        elif (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES) or event in _CHANGES:
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike) and not self._allowed(
                os.path.realpath(_from(event, arguments) / os.fsdecode(path))
            ):
                self._seen.append(f"{event} {path!r}"[:300])

    def _allowed(self, path: str) -> bool:
        places = (str((self.top / "inside" / str(self.tried)).resolve()), str(home()), "/dev/", "/proc/")
        return path.startswith(places) or "__pycache__" in path

    def try_one(self, read: Callable[[Path], object], put: Callable[[Path], object]) -> None:
        """Put an input into a folder and have it read.

        Raises:
            AssertionError: it did what no input may. Anything else: the traceback that it made.
        """
        folder = self.folder()
        put(folder)
        base = _memory()
        self._seen.clear()
        said = None
        started = time.perf_counter()
        _watching.append(self)
        try:
            with _limits():
                read(folder)
        except BadOODError as error:
            self.refused += 1
            said = str(error)
        finally:
            _watching.pop()
            self.slowest = max(self.slowest, time.perf_counter() - started)
            self.peak_mb = max(self.peak_mb, peak_rss_mb() - base)
            self.tried += 1
            shutil.rmtree(folder)
        assert said is None or 10 < len(said) <= LONGEST, f"the message is of no help: {said[:200]!r} ({len(said):,} letters)"
        assert not self._seen, f"it did {self._seen[:3]}"
        assert not any(self.outside.iterdir()), f"it wrote {list(self.outside.iterdir())}"
        assert not any((self.top / "inside").iterdir()), "it wrote beside its folder"
        assert len(list(self.top.iterdir())) == 2, f"it wrote {list(self.top.iterdir())}"
        assert self.peak_mb <= MOST_MB, f"it took {self.peak_mb:,.0f} MB"


def _from(event: str, arguments: tuple[Any, ...]) -> Path:
    """The folder at which the path of an event starts: of one that is emptied, as shutil.rmtree does it, that folder."""
    opened = arguments[1] if event in ("os.remove", "os.rmdir") else -1
    return Path(f"/proc/self/fd/{opened}").readlink() if opened >= 0 else Path.cwd()


@contextmanager
def _limits() -> Iterator[None]:
    """Neither more memory nor more time than that; for what is done in the main thread."""

    def overdue(*_: object) -> None:
        raise Overdue(f"it took more than {_MOST_SECONDS} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _SPARE_BYTES, before[1]))
    signal.signal(signal.SIGALRM, overdue)
    signal.setitimer(signal.ITIMER_REAL, _MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _memory() -> float:
    """Resident memory before the next input, in MB; the peak begins anew."""
    forget_peak()
    return peak_rss_mb()
