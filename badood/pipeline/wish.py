"""What somebody asks for who wants models for images of their own."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from badood.config import Config, load_config, preset_names
from badood.core.artefacts import home
from badood.core.errors import BadConfig

SHIPPED = {"cifar": "cifar10"}
"""Names of shipped models that are no presets' names."""


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        data: folder or file of images. dataset: what reads it; none = folder for a folder, parquet else. name: of the models; none = the folder's.
        size: side in px; none = by the images. start: preset or shipped models to start from; none = random weights.
        minutes: that the training may take, by estimate; none = as long as it wants. settings: "section.field=value".
    """

    data: Path
    dataset: str | None = None
    name: str | None = None
    size: int | None = None
    start: str | None = None
    minutes: float | None = None
    settings: tuple[str, ...] = ()

    @property
    def reader(self) -> str:
        """The data set that reads the images."""
        return self.dataset or ("folder" if self.data.expanduser().is_dir() else "parquet")

    @property
    def called(self) -> str:
        """Name of the models, and of the preset that has them."""
        own = self.name or re.sub(r"[^\w.-]+", "-", self.data.resolve().stem).strip("-.") or "own"
        if self.name is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", own):
            raise BadConfig(f"--name {own[:120]!r}: give letters, digits, '-', '_' and '.', starting with a letter or digit.")
        return f"{own}-own" if own in preset_names() else own

    @property
    def folder(self) -> Path:
        """Where the models go."""
        return home() / "models" / self.called

    def to_json(self) -> dict[str, Any]:
        """As the folder keeps it, to know the same wish again."""
        return asdict(self) | {"data": str(self.data.resolve()), "settings": list(self.settings)}

    @property
    def given(self) -> Config | None:
        """The settings whose weights the models start from."""
        return None if self.start is None else load_config(SHIPPED.get(self.start, self.start), [], self.data, self.dataset)
