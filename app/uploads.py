"""Archives that visitors hand in: unpacked once, kept under their contents."""

import hashlib
from functools import partial
from pathlib import Path
from typing import IO

from app import state
from badood.core.artefacts import home, made_folder
from badood.data.unpack import unpack_images


def kept_upload(archive: IO[bytes]) -> Path:
    """The folder of an archive's images, in the store.

    Raises:
        BadInput: see `unpack_images`.
    """
    return made_folder(home() / "uploads" / _digest(archive), partial(unpack_images, archive))


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
