"""Plug-ins by name: a method is one file, found because its folder is imported (STYLE rule 4)."""

import dataclasses
import difflib
import importlib
import inspect
import pkgutil
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar

from pydantic import ValidationError

from badood.core.errors import BadConfig, BadInput

T = TypeVar("T")
P = TypeVar("P")

_NOTEBOOK = "__main__"
"""Module of what a notebook or a script defines: no other process can import it, and a cell may be run again."""


class Registry(Mapping[str, T]):
    """The plug-ins of one kind. Iteration is alphabetical; the folder is imported at the first look.

    Args:
        kind: what an entry is, in one or two words ("scorer"); its plural also names the entry-point group, `badood.scorers`.
        folder: dotted name of the package whose modules register themselves.
    """

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.folder = folder
        self._entries: dict[str, T] = {}
        self._loaded = self._loading = False
        self._lock = threading.RLock()
        _registries.setdefault((kind, folder), self)

    def __call__(self, name: str) -> Callable[[P], P]:
        """Decorator that registers a plug-in under `name`; a name given twice is an error.

        What a notebook defines may be defined again there: the new entry takes the old one's place.
        """

        def register(entry: P) -> P:
            if name in self._entries and not _defined_again(self._entries[name], entry):
                raise BadInput(f"{self.kind} {name!r} is registered twice: by {self._entries[name]!r} and {entry!r}; rename one.")
            self._entries[name] = entry  # type: ignore[assignment]
            return entry

        return register

    @property
    def group(self) -> str:
        """The entry-point group by which other packages register."""
        words = self.kind.replace(" ", "_")
        return f"badood.{words[:-1]}ies" if words.endswith("y") else f"badood.{words}s"

    def own(self) -> dict[str, Any]:
        """The entries that a notebook or script defined, which another process finds only if they are handed to it."""
        return {name: entry for name, entry in self._entries.items() if _module(entry) == _NOTEBOOK}

    def _load(self) -> None:
        """Import what registers itself. After a failure the next look tries again, so that nobody works with half of the entries."""
        with self._lock:
            if self._loaded or self._loading:  # a module may look around while it is imported
                return
            self._loading = True
            try:
                package = importlib.import_module(self.folder)
                for module in pkgutil.iter_modules(package.__path__):
                    self._import(f"{self.folder}.{module.name}")
                for point in entry_points(group=self.group):
                    if point.name not in self._entries or _module(self._entries[point.name]) != point.module:
                        self(point.name)(point.load())
                self._loaded = True
            finally:
                self._loading = False

    def _import(self, module: str) -> None:
        try:
            importlib.import_module(module)
        except BaseException:  # what it registered before it failed would be registered twice the next time
            self._entries = {name: entry for name, entry in self._entries.items() if _module(entry) != module}
            raise

    def __getitem__(self, name: str) -> T:
        self._load()
        if name not in self._entries:
            guess = _nearest(name, self._entries)
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
            BadConfig: there is no such entry, or a parameter is unknown, missing or out of range.
        """
        entry: Any = self[name]
        params = params or {}
        fields = _parameters(entry)
        takes = f"Its parameters: {', '.join(fields)}." if fields else "It has no parameters."
        if fields is not None and (unknown := [key for key in params if key not in fields]):
            wrong = "; ".join(f"{key} = {params[key]!r}: Unexpected keyword argument" for key in unknown)
            guess = _nearest(unknown[0], fields)
            raise BadConfig(f"{self.kind} {name!r} cannot take {wrong}{f'; {guess}' if guess else '. '}{takes}")
        try:
            return entry(**params)
        except ValidationError as error:
            wrong = "; ".join(_said(item) for item in error.errors())
            raise BadConfig(f"{self.kind} {name!r} cannot take {wrong}. {takes}") from error

    def check(self, name: str, params: Mapping[str, Any] | None = None) -> None:
        """Raise what `make` would raise, before anything that the entry is needed for has begun. Construction does no work."""
        self.make(name, params)


_registries: "weakref.WeakValueDictionary[tuple[str, str], Registry[Any]]" = weakref.WeakValueDictionary()
"""All registries of this process, by kind and folder."""

Handed = dict[tuple[str, str], dict[str, Any]]
"""Entries of registries, by kind and folder, then by name."""


def own_entries() -> Handed:
    """What a notebook or script defined, of every registry: for a process beside, which takes it by `restore`."""
    return {key: own for key, registry in _registries.items() if (own := registry.own())}


def restore(handed: Handed) -> None:
    """Register entries that another process handed over; those handed over before are replaced."""
    for key, entries in handed.items():
        if key not in _registries:
            package = importlib.import_module(key[1])
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{key[1]}.{module.name}")
        for name, entry in entries.items():
            _registries[key](name)(entry)


def _module(entry: object) -> str | None:
    """Name of the module that defines a class or function, or the class of an object."""
    return getattr(entry, "__module__", None)


def _defined_again(before: object, now: object) -> bool:
    """Whether both are the same definition of a notebook, run twice."""
    names = [getattr(entry, "__qualname__", None) for entry in (before, now)]
    return _module(before) == _module(now) == _NOTEBOOK and names[0] is not None and names[0] == names[1]


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]}? " if near else ""


def _parameters(entry: Any) -> list[str] | None:
    """Names that an entry takes; none where it takes any."""
    if dataclasses.is_dataclass(entry):
        return [field.name for field in dataclasses.fields(entry) if field.init]
    arguments = inspect.signature(entry).parameters
    return None if any(argument.kind is argument.VAR_KEYWORD for argument in arguments.values()) else list(arguments)


def _said(item: Mapping[str, Any]) -> str:
    """A complaint of pydantic in one phrase."""
    name = ".".join(map(str, item["loc"]))
    return f"{name}: it has to be given" if item["type"] == "missing" else f"{name} = {item['input']!r}: {item['msg']}"
