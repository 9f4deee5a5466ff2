"""Files that visitors hand in: kept under their contents, archives of images unpacked."""

import hashlib
import re
import shutil
from functools import partial
from pathlib import Path
from typing import IO

from app import state
from app.changing import require_editor
from badood.core.artefacts import home, made_folder
from badood.data.unpack import unpack_images


def kept_upload(archive: IO[bytes]) -> Path:
    """The folder of an archive's images, in the store.

    Raises:
        BadInput: see `unpack_images`.
    """
    require_editor()
    return made_folder(home() / "uploads" / _digest(archive), partial(unpack_images, archive))


def kept_file(upload: IO[bytes], name: str) -> Path:
    """A file as it was handed in, in the store; of a zip archive the folder of its images.

    Args:
        name: as the visitor's machine calls it. It tells what is in the file, and nothing of where it lies.

    Raises:
        BadInput: see `unpack_images`.
    """
    if name.lower().endswith(".zip"):
        return kept_upload(upload)
    require_editor()
    plain = re.sub(r"[^\w.-]", "_", Path(name).name)[-100:].lstrip(".") or "file"

    def keep(folder: Path) -> None:
        upload.seek(0)
        with (folder / plain).open("wb") as file:
            shutil.copyfileobj(upload, file)

    return made_folder(home() / "uploads" / f"{_digest(upload)}-{hashlib.sha256(plain.encode()).hexdigest()[:6]}", keep) / plain


def _digest(archive: IO[bytes]) -> str:
    """A key of the contents. A page is drawn anew at every step, and Streamlit names an upload once: it is read through once, too."""
    upload = getattr(archive, "file_id", None)
    known = state.value(f"digest of {upload}") if upload else None
    if known is None:
        known = hashlib.file_digest(archive, "sha256").hexdigest()[:16]
        archive.seek(0)
        if upload:
            state.put(f"digest of {upload}", known)
    return str(known)
