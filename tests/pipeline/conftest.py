"""What several tests of the path take."""

from pathlib import Path

import pytest
from PIL import Image

from badood.data import dataset


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures of foreign classes, which are the first of the small run's OOD set `near`."""
    images = dataset["miniworld"](None, "test", classes="near", count=40)
    (tmp_path / "theirs").mkdir()
    for row in range(12):
        Image.fromarray(images.read(row)).save(tmp_path / "theirs" / f"{row:02d}.png")
    return tmp_path / "theirs"
