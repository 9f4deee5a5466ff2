"""One fault of every quick kind; `make chaos` injects each many times, and those that take minutes."""

from pathlib import Path

import pytest

from tests.faults import workers
from tests.faults.chaos import FAULTS, World, can_mount

SLOW = ("two runs at once", "database locked", "companion killed", "database and queue away for 30 s")

pytestmark = pytest.mark.slow

assert workers  # enters its faults


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small finished run, which every fault gets a copy of."""
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SLOW])
def test_the_work_goes_on_and_ends_as_if_nothing_had_happened(name: str, world: World, tmp_path: Path) -> None:
    if name in ("disk full", "store read-only") and not can_mount(tmp_path):
        pytest.skip("needs leave to mount")
    assert FAULTS[name][0](world) == []
