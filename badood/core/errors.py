"""Errors a user can meet. Each message names the thing, its value, what was expected and what to do."""

import errno
import os
import socket

_LONGEST = 4000
"""Letters of a message: a file from elsewhere may have names and values of any length."""


class BadOODError(Exception):
    """Base of every error that is reported without a traceback; the CLI ends with exit code 1."""

    def __str__(self) -> str:
        text = super().__str__()
        half = _LONGEST // 2 - len(" ... ")
        return text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"


class BadInput(BadOODError):
    """A file, field or argument cannot be used."""


class MissingFiles(BadInput):
    """The files of a data set are not where they were looked for; the message says which, and from where they are had."""


class BadConfig(BadInput):
    """A setting is unknown or out of range; the CLI ends with exit code 2."""


class BadWeights(BadInput):
    """A weights file does not fit the network, or may not be read safely."""


class Uncalibrated(BadInput):
    """No calibration can be fitted to these scores."""


class ReversedOrder(Uncalibrated):
    """A calibration would rank ID images below OOD images."""


class EmptySelection(BadInput):
    """A filter keeps no outlier."""


class StorageError(BadOODError):
    """The operating system refuses to read or write a file."""


class StorageFull(StorageError):
    """The disk is full; what was there before is untouched."""


class TrainingDiverged(BadOODError):
    """The loss is not finite any more; the last good checkpoint is kept."""


class ProcessDied(BadOODError):
    """A process that worked for this one ended before its work was done."""


_REMEDIES = {
    errno.EACCES: "no permission for {place}: change its permissions, or give another place",
    errno.EPERM: "no permission for {place}: change its permissions, or give another place",
    errno.EROFS: "{place} lies on a read-only file system: give another place (BADOOD_HOME for runs)",
    errno.EISDIR: "{place} is a folder: give the name of a file",
    errno.ENOTDIR: "{place} leads through something that is a file, not a folder: give another place",
    errno.EEXIST: "{place} is there already, as a file or folder: give a new name, or remove it first",
    errno.ENOTEMPTY: "{place} exists already and is not empty: give a new name, or remove it first",
    errno.ENAMETOOLONG: "the name {place} is too long: most file systems take 255 bytes for one name; give a shorter one",
    errno.ENOENT: "{place} does not exist: check the name",
    errno.ELOOP: "the links at {place} go round in a circle: mend the link",
    errno.EIO: "the disk reports an error at {place}: copy what can still be read, and check the disk",
    errno.EMFILE: "too many files are open at {place}: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open at {place}: end other programs",
    errno.EPIPE: "whoever was reading {place} has ended: start the reader again, then this",
    errno.ENXIO: "nobody is at the other end of {place}: start its reader first",
    errno.ENOSPC: "no space left for {place}: free some space on that disk and start again",
    errno.EDQUOT: "the quota is used up for {place}: free some space and start again",
    errno.EFBIG: "{place} would be larger than its file system allows: give another place",
    errno.ESTALE: "the network drive of {place} has gone away: mount it again",
    errno.EBUSY: "{place} is in use: close what uses it",
    errno.ETXTBSY: "{place} is in use: close what uses it",
    errno.EXDEV: "{place} lies on another disk than its copy: give a place on the same one",
    errno.EINVAL: "{place} cannot be a name here: give another one",
}

# By dotted names, so that nothing has to be imported to ask; the text takes what the error says.
_FOREIGN = {
    "builtins.MemoryError": "not enough memory{of}: lower compute.memory_gb, batch sizes or the number of images, or end other programs",
    "torch.OutOfMemoryError": "the device's memory is full{of}: lower compute.memory_gb or batch sizes, or set compute.device = cpu",
    "builtins.UnicodeDecodeError": "text that is not {encoding}{of} ({said}): save the file as UTF-8",
    "builtins.UnicodeEncodeError": "{text} cannot be written as {encoding}{of}: rename what is called so, or set PYTHONUTF8=1",
    "zlib.error": "compressed data that is broken{of} ({said}): fetch or copy the file again",
    "_lzma.LZMAError": "compressed data that is broken{of} ({said}): fetch or copy the file again",
    "zipfile.BadZipFile": "a zip file that is broken, or none{of} ({said}): fetch or copy it again",
    "zipfile.LargeZipFile": "a zip file that is too large{of} ({said}): use several",
    "tarfile.TarError": "a tar file that is broken, or none{of} ({said}): fetch or copy it again",
    "yaml.error.YAMLError": "YAML that cannot be read{of} ({said}): mend it there",
    "pyarrow.lib.ArrowException": "a table that cannot be read{of} ({said}): write or fetch it again",
    "safetensors._safetensors_rust.SafetensorError": "a weights file that cannot be read{of} ({said}): fetch or copy it again",
    "PIL.Image.DecompressionBombError": "an image that is too large{of} ({said}): make it smaller",
    "duckdb.Error": "a query over a table failed{of} ({said}): if the file is broken, write or fetch it again",
    "sqlalchemy.exc.OperationalError": "the database does not work ({said}): check BADOOD_DATABASE_URL and the folder BADOOD_HOME",
    "sqlalchemy.exc.DatabaseError": "the database does not work ({said}): check BADOOD_DATABASE_URL and the folder BADOOD_HOME",
    "sqlite3.DatabaseError": "the database does not work ({said}): check BADOOD_DATABASE_URL and the folder BADOOD_HOME",
}

_OURS = {
    "sqlalchemy.exc.ProgrammingError",
    "sqlalchemy.exc.IntegrityError",
    "duckdb.ParserException",
    "duckdb.BinderException",
    "duckdb.CatalogException",
    "sqlite3.ProgrammingError",
    "sqlite3.IntegrityError",
}
"""Kinds of the above that only a mistake in this library makes."""


def one_line(error: BaseException) -> str | None:
    """What the outermost boundary tells of an error: a line that names the file, where the error has one, and what to do.

    Notes of the error (`add_note`) are part of it, so who knows the file can say so.

    Returns:
        None for what must be a bug of ours, which needs its traceback.
    """
    if isinstance(error, BadOODError):
        return str(error)
    if isinstance(error, OSError):
        return os_error_line(error)
    kinds = [f"{kind.__module__}.{kind.__qualname__}".replace("_duckdb.", "duckdb.") for kind in type(error).__mro__]
    text = next((_FOREIGN[kind] for kind in kinds if kind in _FOREIGN), None)
    if isinstance(error, EOFError) and "ompressed file ended" in str(error):
        text = _FOREIGN["zlib.error"]
    if text is None or _OURS.intersection(kinds):
        return None
    file = _file(error)
    piece = error.object[error.start : error.end] if isinstance(error, UnicodeEncodeError) else ""
    said = _flat(str(getattr(error, "orig", None) or getattr(error, "problem", None) or error)) or type(error).__name__
    encoding = getattr(error, "encoding", "").upper()
    return text.format(of=f" in {file}" if file else "", said=said, encoding=encoding, text=repr(piece)) + "."


def os_error_line(error: OSError, path: object = None) -> str:
    """An error of the operating system in a line.

    Args:
        path: what was being read or written; none = what the error names.
    """
    place = path or _file(error)
    if isinstance(error, socket.gaierror | ConnectionError) and error.errno != errno.EPIPE:
        return f"no connection ({_flat(str(error))}): check the network and start again{f'; it was for {place}' if place else ''}."
    if error.errno in _REMEDIES:
        return _REMEDIES[error.errno].format(place=place or "a file") + "."
    said = error.strerror or _flat(str(error)) or type(error).__name__
    return f"{place} cannot be used: {said}; check it and start again." if place else f"{said}; check what it names and start again."


def _file(error: BaseException) -> str:
    """The file that an error names, or its notes; empty where there is none."""
    for name in ("filename2", "filename"):
        if isinstance(found := getattr(error, name, None), str | bytes | os.PathLike):
            return os.fsdecode(found)
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"{mark.name}, line {mark.line + 1}".strip()
    return _flat(" ".join(getattr(error, "__notes__", [])))


def _flat(text: str) -> str:
    """In one line."""
    return " ".join(text.split())
