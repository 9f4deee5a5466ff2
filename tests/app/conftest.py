"""AppTest leaves the page's script behind as `__main__`, which every process that a later test spawns would run again."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from badood.core.artefacts import home
from badood.explore.finished import Finished, finished


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


SOURCES = ("minority", "theirs")


@pytest.fixture(scope="session")
def several_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two finished runs: "both" has generated and imported outliers, "theirs" imported ones only and no encoder."""
    from badood.config import load_config, validate
    from badood.pipeline.path import run
    from tests.conftest import SMALL_SETTINGS

    store, photos = tmp_path_factory.mktemp("several"), tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(24):
        place = photos / ("cat", "dog")[number % 2] / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((96, 80)).save(place)
    (photos / "cat" / "broken.png").write_bytes(b"nothing")
    settings = load_config("miniworld", [*SMALL_SETTINGS, "detector.epochs=12"]).model_dump()
    imported = {"name": SOURCES[1], "source": "imported", "params": {"path": str(photos)}}
    alone = {
        "weights": str(store / "none"),
        "outliers": [imported],
        "clip": settings["clip"] | {"weights": f"{settings['weights']}/clip.safetensors"},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BADOOD_HOME", str(store))
        run(validate(settings | {"outliers": [{"name": SOURCES[0]}, imported]}), "both")
        run(validate(settings | alone), "theirs")
    return store


@pytest.fixture
def several_runs(several_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Finished]:
    """The run "both", beside "theirs", in a store of the test's own. A worker is entered as alive, so that pages start none."""
    from app import asking
    from badood.store import jobs, open_database

    shutil.copytree(several_store, tmp_path / "home")
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path / "home"))
    jobs.register_worker(open_database())
    yield finished("both")
    asking.close()


def cut_off(name: str, state: str = "failed") -> None:
    """Leave of a finished run what one has that ended before its detector."""
    path = home() / name / "run.json"
    record = json.loads(path.read_text())
    later = ("outliers", "calibration", "types", "features", "detector", "rebuilt")
    record["results"] = {key: place for key, place in record["results"].items() if key not in later}
    path.write_text(json.dumps(record | {"state": state, "metrics": {}, "error": "the disk is full"}))
