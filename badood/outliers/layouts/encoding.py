"""How an image is encoded: a detector can tell JPEG from lossless."""

import io
import warnings
from pathlib import Path

from PIL import Image

from badood.data.images import FORMATS


def encoding_of(content: bytes | Path) -> str:
    """ "jpeg", "png", ...; "" where the content is no image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the header is all that is read
        try:
            with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=FORMATS) as image:
                return {"mpo": "jpeg"}.get(str(image.format).lower(), str(image.format).lower())
        except Exception:  # a broken file makes Pillow raise nearly anything
            return ""
