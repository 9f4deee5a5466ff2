"""Shared fixtures. Development data and reference tensors are optional: tests that need them skip without."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

    from badood.explore.finished import Finished

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of development data (`BADOOD_TEST_DATA`, default ../shared); skips where there is none."""
    folder = Path(os.environ.get("BADOOD_TEST_DATA", CHECKOUT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"development data not found at {folder}; set BADOOD_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def reference(test_data: Path) -> Path:
    """The folder of tensors and checkpoints recorded from the original implementations; skips where there is none."""
    folder = test_data / "reference"
    if not folder.is_dir():
        pytest.skip(f"no recorded tensors at {folder}")
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's store."""
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """An empty schema of the PostgreSQL database that `BADOOD_TEST_DATABASE_URL` names; skips where it names none."""
    url = os.environ.get("BADOOD_TEST_DATABASE_URL")
    if not url:
        pytest.skip("set BADOOD_TEST_DATABASE_URL to a PostgreSQL database to run this test on it too")
    schema = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        # a URL of its own, too: a database that is open already is not opened again
        yield make_url(url).update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def redis_url() -> str:
    """The Redis database that `BADOOD_TEST_QUEUE_URL` names; skips where it names none."""
    url = os.environ.get("BADOOD_TEST_QUEUE_URL")
    if not url:
        pytest.skip("set BADOOD_TEST_QUEUE_URL to an empty Redis database (redis://localhost:6379/9) to run this test on it too")
    return url


SMALL_RUN = "small"
SMALL_SETTINGS = [
    # so short a training rounds to other detectors with another number of threads
    "compute.threads=1",
    "data.train.params.count=300",
    "data.test.params.count=80",
    "data.auxiliary.0.params.count=80",
    *(f"data.ood.{place}.params.count=40" for place in range(3)),
    "data.grid.params.per_cell=1",
    "synthesise.count=90",
    "decode.steps=4",
    "detector.epochs=2",
    "evaluate.filters=[all,q-mid]",
    "evaluate.harm_subsets=8",
    "evaluate.scorers=[msp,energy]",
    # which of the two ranks better after so short a training is chance
    "calibrate.score=energy",
]


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished run, made by the real pipeline with the shipped weights; read only."""
    return store_with(tmp_path_factory.mktemp("store"), SMALL_SETTINGS, SMALL_RUN)


def store_with(store: Path, settings: list[str], name: str) -> Path:
    """A folder as a store that has one finished run of MiniWorld."""
    from badood.config import load_config
    from badood.pipeline.path import run

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BADOOD_HOME", str(store))
        run(load_config("miniworld", settings), name)
    return store


@pytest.fixture
def small_run(small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Finished"]:
    """The finished run in a store of the test's own. A worker is entered as alive, so that pages start none."""
    from app import asking
    from badood.explore.finished import finished
    from badood.store import jobs, open_database

    shutil.copytree(small_store, tmp_path / "home")
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path / "home"))
    jobs.register_worker(open_database())
    yield finished(SMALL_RUN)
    asking.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a preset on which a whole table of the paper takes seconds."""
    from tests.benchmark.tiny import written

    return written(tmp_path_factory.mktemp("preset"))


@pytest.fixture(scope="session")
def two_machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cluster"]:
    """A Ray cluster of two machines of one CPU each, that this process has joined; what is killed of it is to be replaced."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    from badood.pipeline.engines.cluster import SETTINGS, joined

    folder = tmp_path_factory.mktemp("ray")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("BADOOD_TEST_FLAGS", str(folder))
        cluster = Cluster(initialize_head=True, head_node_args=MACHINE | {"include_dashboard": False})
        try:
            with joined(cluster.address):  # before the other is there, so that this process is on the first
                cluster.add_node(**MACHINE)
                cluster.wait_for_nodes()
                yield cluster
        finally:
            cluster.shutdown()


MACHINE = {"num_cpus": 1, "object_store_memory": 200 * 2**20, "memory": 4 * 2**30}
"""What each has for Ray."""
