"""Plug-ins by name: a method is one file, found because its folder is imported (STYLE rule 4)."""

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar

from pydantic import ValidationError

from badood.core.errors import BadConfig, BadInput

T = TypeVar("T")
P = TypeVar("P")


class Registry(Mapping[str, T]):
    """The plug-ins of one kind. Iteration is alphabetical; the folder is imported at the first look.

    Args:
        kind: what an entry is, in one word ("scorer"); also names the entry-point group `badood.<kind>s`.
        folder: dotted name of the package whose modules register themselves.
    """

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.folder = folder
        self._entries: dict[str, T] = {}
        self._loaded = False

    def __call__(self, name: str) -> Callable[[P], P]:
        """Decorator that registers a plug-in under `name`; a name given twice is an error."""

        def register(entry: P) -> P:
            if name in self._entries:
                raise BadInput(f"{self.kind} {name!r} is registered twice: by {self._entries[name]!r} and {entry!r}; rename one.")
            self._entries[name] = entry  # type: ignore[assignment]
            return entry

        return register

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.folder)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.folder}.{module.name}")
        for point in entry_points(group=f"badood.{self.kind.replace(' ', '_')}s"):
            self(point.name)(point.load())

    def __getitem__(self, name: str) -> T:
        self._load()
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=1)
            guess = f"did you mean {near[0]}? " if near else ""
            raise BadConfig(f"no {self.kind} is called {name!r}; {guess}there are {', '.join(sorted(self._entries))}.")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def make(self, name: str, params: Mapping[str, Any] | None = None) -> Any:
        """A fresh instance of the class registered under `name`, its fields set from `params`.

        Raises:
            BadConfig: a parameter is unknown or out of range.
        """
        entry: Any = self[name]
        try:
            return entry(**(params or {}))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, item['loc']))} = {item['input']!r}: {item['msg']}" for item in error.errors())
            known = ", ".join(field.name for field in dataclasses.fields(entry) if field.init)
            raise BadConfig(f"{self.kind} {name!r} cannot take {wrong}. Its parameters: {known}.") from error
