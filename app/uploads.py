"""Archives that visitors hand in: unpacked once, kept under their contents."""

import hashlib
from functools import partial
from pathlib import Path
from typing import IO

from badood.core.artefacts import home, made_folder
from badood.data.unpack import unpack_images


def kept_upload(archive: IO[bytes]) -> Path:
    """The folder of an archive's images, in the store.

    Raises:
        BadInput: see `unpack_images`.
    """
    folder = home() / "uploads" / hashlib.file_digest(archive, "sha256").hexdigest()[:16]
    archive.seek(0)
    return made_folder(folder, partial(unpack_images, archive))
