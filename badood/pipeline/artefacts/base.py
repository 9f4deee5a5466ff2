"""A finished result of a stage."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Artefact:
    """A finished folder that never changes.

    Attributes:
        folder: its name is its key.
    """

    folder: Path

    @property
    def key(self) -> str:
        """Equal for equal content."""
        return self.folder.name
