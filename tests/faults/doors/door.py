"""What a way in is, and the list of all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Read = Callable[[Path, Any], object]
Write = Callable[[Path, Any], object]


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes:
        inputs: what comes. put: lays it into a folder. read: what a person's click or command does with it.
    """

    inputs: st.SearchStrategy[Any]
    put: Write
    read: Read


DOORS: dict[str, Callable[[Path], Door]] = {}
"""By name, made for the folder that hostile inputs want to write to."""

SHARES: dict[str, int] = {}
"""Of all inputs, in parts: slow doors get fewer."""


def door(name: str, share: int = 10) -> Callable[[Callable[[Path], Door]], Callable[[Path], Door]]:
    """Decorator that enters a way in."""

    def entered(make: Callable[[Path], Door]) -> Callable[[Path], Door]:
        DOORS[name], SHARES[name] = make, share
        return make

    return entered


def nothing(folder: Path, given: Any) -> None:
    """What is no file is put nowhere."""


def as_file(name: str) -> Write:
    """Bytes as a file of this name."""
    return lambda folder, content: (folder / name).write_bytes(content)
