"""What is asked of a benchmark: a preset, how many seeds, and where data lie."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from badood.config import Config, load_config


@dataclass(frozen=True)
class Wanted:
    """As the command line has it; JSON takes its fields.

    Attributes:
        preset: name or YAML file. data, dataset: ID images and what reads them. settings: "section.field=value".
        seeds: detector seeds, from 0 on. label: of a variant made with settings; added to the names of the files.
        root: OpenOOD's data root; none = not there. protocol: ID data set of OpenOOD's protocols; none = as the preset is called.
    """

    preset: str = "miniworld"
    data: str | None = None
    dataset: str | None = None
    settings: tuple[str, ...] = ()
    seeds: int = 3
    label: str = ""
    root: str | None = None
    protocol: str | None = None

    def config(self) -> Config:
        """The settings.

        Raises:
            BadConfig: they do not fit.
        """
        return load_config(self.preset, self.settings, None if self.data is None else Path(self.data), self.dataset)

    def command(self, name: str) -> str:
        """The command that makes it anew."""
        words = ["badood", "benchmark", name, "--preset", self.preset, "--seeds", str(self.seeds)]
        for option, value in (
            ("--data", self.data),
            ("--dataset", self.dataset),
            ("--root", self.root),
            ("--id", self.protocol),
            ("--label", self.label),
        ):
            words += [option, value] if value else []
        return shlex.join(words + [word for setting in self.settings for word in ("--set", setting)])
