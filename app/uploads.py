"""Archives that visitors hand in: unpacked once, kept under their contents."""

import hashlib
from pathlib import Path
from typing import IO

from badood.core.artefacts import atomic_folder, home
from badood.data.unpack import unpack_images


def kept_upload(archive: IO[bytes]) -> Path:
    """The folder of an archive's images, in the store.

    Raises:
        BadInput: see `unpack_images`.
    """
    folder = home() / "uploads" / hashlib.file_digest(archive, "sha256").hexdigest()[:16]
    if not folder.exists():
        archive.seek(0)
        with atomic_folder(folder) as part:
            unpack_images(archive, part)
    return folder
