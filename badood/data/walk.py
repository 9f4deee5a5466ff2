"""What lies below a folder: links are followed alike at every depth, hidden things and broken links are counted."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from badood.data.record import Skipped, shown

_OF_SYSTEMS = frozenset({
    "@eadir", "@tmp", "@recycle", "@recycle.bin", "@__thumb", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "system volume information",
    "thumbs.db", "ehthumbs.db", "desktop.ini",
})  # fmt: skip


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or made by a system for its own use (thumbnails, waste bins)."""
    return name.startswith((".", "__")) or name.casefold() in _OF_SYSTEMS


def name_of(path: Path) -> str:
    """What to call the set in a folder or file: its own name, also where the path is "." or ends in ".."."""
    return shown(path.name if path.name not in ("", "..") else path.resolve().name)


def expanded(path: str | Path) -> Path:
    """The path with a leading "~" replaced; it stays where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def there(path: Path) -> bool:
    """Whether something is there that can be seen; False also for a name that no disk can hold, which would raise."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


@dataclass
class Passed:
    """What was passed over, counted by kind and detail; of each only the first is named, however many there are."""

    _found: dict[tuple[str, str], Skipped] = field(default_factory=dict)

    def add(self, kind: str, path: object, reason: str, *, detail: str = "", count: int = 1) -> None:
        """Count `path` under `kind` and `detail`; `reason` says what is wrong with it and what to do, of one thing or many."""
        first = self._found.get((kind, detail))
        self._found[kind, detail] = replace(first, count=first.count + count) if first else Skipped(shown(path), reason, count, kind)

    def entries(self) -> tuple[Skipped, ...]:
        """One entry for each kind and detail; its reason begins with the first path."""
        return tuple(
            Skipped(each.path, f"{each.path}{_more(each.count)}: {each.reason}", each.count, each.kind) for each in self._found.values()
        )


def inside(folder: Path, passed: Passed) -> tuple[list[Path], list[Path]]:
    """What lies directly in a folder, in order of name: (folders, files), links followed, without hidden things and broken links."""
    folders, files = _entries(str(folder), passed)
    return list(map(Path, folders)), list(map(Path, files))


def walk(folder: Path, passed: Passed) -> Iterator[str]:
    """The path of every file anywhere below a folder, hidden ones left out; links to folders are followed after the real folders.

    A folder that is reached twice, or that holds `folder` itself, is read once: a link into a loop ends there. Paths are texts, which are
    several times faster than `Path` where there are 100,000.
    """
    seen = {_identity(str(each)) for each in (folder, *folder.absolute().parents, *folder.resolve().parents)}
    waiting, links = deque([str(folder)]), deque[str]()
    first = True
    while waiting or links:
        here = waiting.popleft() if waiting else links.popleft()
        if not first and not _new(here, seen, passed):
            continue
        first = False
        folders, files = _entries(here, passed)
        yield from files
        for each in folders:
            (links if Path(each).is_symlink() else waiting).append(each)


def _entries(folder: str, passed: Passed) -> tuple[list[str], list[str]]:
    """`inside`, as texts."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        passed.add(
            "closed folder", folder, f"the folder cannot be opened ({error.strerror}); give leave to read it.", detail=str(error.strerror)
        )
        return folders, files
    for entry in entries:
        if hidden(entry.name):
            passed.add("hidden", entry.path, "hidden, or made by a system for its own use; rename what should be read.")
        elif _is(entry, "dir"):
            folders.append(entry.path)
        elif _is(entry, "file"):
            files.append(entry.path)
        elif entry.is_symlink():
            passed.add("broken link", entry.path, "a link to nothing; mend or delete it.")
        else:
            passed.add("no image file", entry.path, "neither a file nor a folder; move it away.", detail="special")
    return folders, files


def _is(entry: os.DirEntry[str], kind: str) -> bool:
    """`is_dir` or `is_file`, links followed; False for a link that leads in a circle, which raises."""
    try:
        return entry.is_dir() if kind == "dir" else entry.is_file()
    except OSError:
        return False


def _new(folder: str, seen: set[tuple[int, int]], passed: Passed) -> bool:
    """Whether a folder is met for the first time."""
    identity = _identity(folder)
    if identity in seen:
        passed.add("link met before", folder, "leads to a folder that is read already or that holds this one; it is read once.")
        return False
    seen.add(identity)
    return True


def _identity(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:  # it has just gone: `_entries` will say so
        return -1, hash(path)
    return status.st_dev, status.st_ino


def _more(count: int) -> str:
    return "" if count == 1 else f" and {count - 1:,} more"
