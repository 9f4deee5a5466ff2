"""The store's tests run on SQLite, and on PostgreSQL where `BADOOD_TEST_DATABASE_URL` names one."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from badood.store import Database, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    if request.param == "sqlite":
        yield open_database(f"sqlite:///{tmp_path / 'store.sqlite'}")
        return
    url = os.environ.get("BADOOD_TEST_DATABASE_URL")
    if not url:
        pytest.skip("set BADOOD_TEST_DATABASE_URL to a PostgreSQL database to run this test on it too")
    schema = f"test_{uuid.uuid4().hex[:12]}"
    _execute(url, f"CREATE SCHEMA {schema}")
    # a schema, and so a URL, of its own: the database is empty, and not one that is open already
    database = open_database(make_url(url).update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False))
    yield database
    database.engine.dispose()
    _execute(url, f"DROP SCHEMA {schema} CASCADE")


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
