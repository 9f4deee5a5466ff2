"""The store's tests run on SQLite, and on PostgreSQL where `BADOOD_TEST_DATABASE_URL` names one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from badood.store import Database, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    postgresql = request.param == "postgresql"
    opened = open_database(request.getfixturevalue("postgresql_url") if postgresql else f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield opened
    opened.engine.dispose()
