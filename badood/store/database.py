"""The database: where it is, how it is opened, how it is brought up to date."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from badood.core.artefacts import home
from badood.core.errors import BadInput

_log = logging.getLogger(__name__)

T = TypeVar("T")

_WAIT_SECONDS = 15.0
"""SQLite waits so long for another process that writes."""

_PATIENCE_SECONDS = 600.0
_PAUSE_SECONDS = 1.0

_LOCK = 0xBAD00D
"""Key of PostgreSQL's advisory lock around migrations."""


@dataclass(frozen=True)
class Database:
    """An open database whose tables are up to date."""

    engine: Engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed when the block ends well, rolled back otherwise. Rows stay readable afterwards."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session


def patiently(work: Callable[[], T]) -> T:
    """Do what must not be lost, again and again while the database does not answer: one that restarts, or is locked, ends no training.

    Raises:
        DBAPIError: it has not answered for ten minutes.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > until:
                raise
            _log.warning("the database does not answer (%s); trying again", error.orig)
            time.sleep(_PAUSE_SECONDS)


def database_url() -> str:
    """`BADOOD_DATABASE_URL`, else `badood.sqlite` in `BADOOD_HOME`."""
    return os.environ.get("BADOOD_DATABASE_URL") or f"sqlite:///{home() / 'badood.sqlite'}"


def open_database(url: str | None = None) -> Database:
    """The database at a SQLAlchemy URL, default `database_url()`; its tables are made or migrated at the first look.

    Raises:
        BadInput: the URL cannot be read, nobody answers there, or a newer version wrote the tables.
    """
    return _open(url or database_url())


@lru_cache(maxsize=8)
def _open(url: str) -> Database:
    try:
        engine = _engine(url)
        with engine.begin() as connection:
            _migrate(connection)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise BadInput(
            f"database URL {_shown(url)!r} cannot be used ({error}); write it as sqlite:///FILE or postgresql+psycopg://..."
        ) from error
    except OperationalError as error:
        raise BadInput(f"database {_shown(url)} does not answer ({error.orig}); start it, or unset BADOOD_DATABASE_URL.") from error
    return Database(engine)


def _shown(url: str) -> str:
    """The URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(unreadable)"


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        home().mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    # a transaction that starts as a reader and then writes fails at once when another wrote meanwhile; one that starts as a writer waits
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # sqlite3 begins no transactions of its own: the listener does
    until = time.monotonic() + _WAIT_SECONDS
    # the switch is refused at once where another process makes it too, whatever the time-out
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _migrate(connection: Connection) -> None:
    """Bring the tables to the newest version; two processes that start at once wait for each other."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    config = Config()
    config.set_main_option("script_location", "badood.store:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise BadInput(
            f"the database was written by a newer version ({error}); update badood, or set BADOOD_DATABASE_URL to another database."
        ) from error
