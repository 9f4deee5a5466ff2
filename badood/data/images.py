"""Safe decoding: any image file a person may have, as (H, W, 3) uint8 RGB, or a reason why not."""

import io
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from badood.core.errors import BadInput
from badood.data.record import Skipped, shown

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"}
SUFFIXES = frozenset(
    {*_JPEG, ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".avifs"}
)
MAX_PIXELS = 64_000_000  # 8000 x 8000: 192 MB decoded, below Pillow's own alarm
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}


def decode(content: bytes | Path, name: str) -> NDArray[np.uint8]:
    """Pixels of an image file.

    CMYK, palette and grey become RGB, transparency is laid on white, the EXIF orientation is applied, and of an animation the first frame
    is taken. Deep grey values become 8-bit: integers that fit 8 bits are 8-bit values, those that fit 16 are scaled by the range of 16 bits,
    all others, floating-point ones too, by the image's own extremes.

    Args:
        content: the file's bytes, or its path.
        name: what errors call it.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        BadInput: empty, truncated, not an image, or more than `MAX_PIXELS` pixels (found before anything is decoded).
    """
    return np.array(_decoded(content, name, eighth=False), dtype=np.uint8)


def check(content: bytes | Path, name: str) -> Skipped | None:
    """Whether `decode` will succeed: None, or what is wrong.

    Decodes the whole file, because a truncated one has a sound header; JPEG at an eighth of its size, which reads every byte but skips most
    of the arithmetic. Animations are named in the log.
    """
    try:
        _decoded(content, name, eighth=True)
    except BadInput as error:
        return Skipped(shown(name), str(error))
    return None


def check_files(files: Sequence[Path]) -> list[Skipped | None]:
    """`check` of every file, in order, on all processors: a run that starts does not meet an unreadable file later."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda file: check(file, str(file)), files))


def png(image: NDArray[np.uint8]) -> bytes:
    """Lossless bytes of a (3, H, W) uint8 RGB image."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _decoded(content: bytes | Path, name: str, *, eighth: bool) -> Image.Image:
    """The image as RGB; with `eighth`, a JPEG at an eighth of its size."""
    name = shown(name)
    try:
        with _open(content, name) as image:
            if eighth:
                image.draft("RGB", (max(image.width // 8, 1), max(image.height // 8, 1)))
                if getattr(image, "is_animated", False):
                    log.warning("%s has several frames; the first is used", name)
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except BadInput:
        raise
    except UnidentifiedImageError as error:
        raise BadInput(f"{name} is not an image of a known format ({', '.join(FORMATS)}); convert or delete it.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInput(f"{name} has more than the {MAX_PIXELS:,} px that are read: scale it down.") from error
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes Pillow raise nearly anything: OSError, SyntaxError, struct.error, IndexError, ...
        why = shown(str(error) or type(error).__name__)
        raise BadInput(f"{name} cannot be decoded ({why}); restore or delete it.") from error


def _open(content: bytes | Path, name: str) -> Image.Image:
    """The opened image, header read, pixels not yet."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size == 0:
        raise BadInput(f"{name} is empty (0 bytes); restore or delete it.")
    image = Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise BadInput(f"{name} has {image.width} x {image.height} px; at most {MAX_PIXELS:,} are read: scale it down.")
    return image


def _rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as RGB."""
    if image.mode in _DEEP:
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: NDArray) -> NDArray[np.uint8]:
    """Grey values as 8-bit ones, as `decode` says; an image of one value beyond 16 bits keeps it as far as 8 bits go."""
    if values.dtype.kind in "ui" and values.min() >= 0 and values.max() < 2**16:
        shift = 0 if values.max() < 2**8 else 8
        return (values.astype(np.uint32) >> shift).astype(np.uint8)
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    if low == high:
        return np.clip(finite, 0, 255).astype(np.uint8)
    return ((finite - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
