import multiprocessing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from badood.core.errors import BadInput
from badood.store import Database, jobs, open_database, verdicts
from badood.store.tables import Table


def test_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    with database.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_default_is_a_file_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path / "new"))
    monkeypatch.delenv("BADOOD_DATABASE_URL", raising=False)
    open_database()
    assert (tmp_path / "new" / "badood.sqlite").is_file()


def test_verdicts_of_the_first_version_stand(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    config = Config()
    config.set_main_option("script_location", "badood.store:migrations")
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        act = "INSERT INTO acts (run_id, verdict, note, who, at) VALUES ('run', 'keep', '', 'ada', '2026-01-01 00:00:00')"
        connection.execute(text(act))
        connection.execute(text("INSERT INTO judged VALUES (1, 7)"))
    database = open_database(url)
    assert verdicts.current(database, "run")["outlier_id"].tolist() == [7]
    verdicts.give(database, "run", [7], "reject", who="ada", origin="tab:1")
    assert verdicts.current(database, "run")["verdict"].tolist() == ["reject"]


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    database = open_database(url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match="newer version"):
        open_database(url + "?")


@pytest.mark.parametrize("url", ["nonsense", "nosuchbackend://x", "postgresql://nobody@127.0.0.1:1/x"])
def test_a_bad_url_is_named(url: str) -> None:
    with pytest.raises(BadInput, match=r"BADOOD_DATABASE_URL|sqlite:///"):
        open_database(url)


def test_the_password_is_not_shown() -> None:
    with pytest.raises(BadInput) as caught:
        open_database("postgresql://nobody:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)


def _write(url: str, count: int) -> None:
    database = open_database(url)
    for _ in range(count):
        job = jobs.create(database, "run", {})
        jobs.start(database, job.id, "w")


def test_processes_open_migrate_and_write_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(url, 20)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(jobs.listed(open_database(url), states=["running"], limit=100)) == 60
