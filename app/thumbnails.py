"""Small images of outliers, in memory for a while: those of a page are read at one go, before the browser asks for each of them."""

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from app.opened import outliers_at

_LARGEST = 192  # px; larger images are made smaller, a tile shows no more

_KEPT = 1500
"""Images: some 25 pages of the grid, 15 MB at 64 px."""

_ready: "OrderedDict[tuple[str, str, int], bytes]" = OrderedDict()
_lock = threading.Lock()
_pool = ThreadPoolExecutor(1, thread_name_prefix="thumbnails")


def small(data: bytes) -> bytes:
    """An encoded image as it is, or made smaller."""
    picture = Image.open(io.BytesIO(data))
    if max(picture.size) <= _LARGEST:
        return data
    picture.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def ready(run: str, key: str, outlier_id: int) -> bytes | None:
    """An image that is in memory, at once; None where it is not."""
    with _lock:
        return _ready.get((run, key, outlier_id))


def read(run: str, key: str, ids: Sequence[int]) -> dict[int, bytes]:
    """Images by outlier_id; those that are not in memory are read.

    Args:
        run: its id. key: of its outliers.

    Raises:
        BadInput: the run lacks one of them.
    """
    known = {number: data for number in ids if (data := ready(run, key, number)) is not None}
    missing = [number for number in ids if number not in known]
    if missing:
        fresh = {number: small(data) for number, data in outliers_at(run, key).images(missing).items()}
        with _lock:
            _ready.update({(run, key, number): data for number, data in fresh.items()})
            while len(_ready) > _KEPT:
                _ready.popitem(last=False)
        known |= fresh
    return known


def read_ahead(run: str, key: str, ids: Sequence[int]) -> None:
    """Read images in the background."""
    _pool.submit(read, run, key, list(ids))
