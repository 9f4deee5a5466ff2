"""The tables. A change here needs a migration in `migrations/versions`."""

import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Float, ForeignKey, Index, Integer, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime.datetime:
    """This moment, with its time zone."""
    return datetime.datetime.now(datetime.UTC)


class Moment(TypeDecorator[datetime.datetime]):
    """A time in UTC; SQLite drops the zone, so it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """The value with its zone."""
        return value.replace(tzinfo=datetime.UTC) if value is not None and value.tzinfo is None else value


class Table(DeclarativeBase):
    """Base of the tables."""


class Act(Table):
    """One person's one press of a button or key: a verdict on one or many outliers. Undone acts stay, as a record.

    `origin` and `undone_by` name the message that brought the verdict and the one that took it back, "BROWSER:ID"; null = no browser sent one.
    """

    __tablename__ = "acts"
    __table_args__ = (Index("acts_origin", "origin", unique=True), Index("acts_undone_by", "undone_by"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    run_id: Mapped[str] = mapped_column(String(200), index=True)
    verdict: Mapped[str] = mapped_column(String(10))
    note: Mapped[str] = mapped_column(Text, default="")
    who: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)
    undone_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    origin: Mapped[str | None] = mapped_column(String(160))
    undone_by: Mapped[str | None] = mapped_column(String(160))


class Judged(Table):
    """An outlier that an act speaks of. Its verdict now is that of its newest act that was not undone."""

    __tablename__ = "judged"
    __table_args__ = (Index("judged_outlier", "outlier_id", "act_id"),)

    act_id: Mapped[int] = mapped_column(ForeignKey("acts.id", ondelete="CASCADE"), primary_key=True)
    outlier_id: Mapped[int] = mapped_column(Integer, primary_key=True)


class Tag(Table):
    """A word that somebody put on an outlier."""

    __tablename__ = "tags"

    run_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    outlier_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)
    who: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)


class Selection(Table):
    """Outliers that a link names by a key of them: an address cannot hold thousands of numbers."""

    __tablename__ = "selections"

    run_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(20), primary_key=True)
    ids: Mapped[list[int]] = mapped_column(JSON)


class View(Table):
    """What the grid shows and how, under a name."""

    __tablename__ = "views"

    run_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    shown: Mapped[dict[str, Any]] = mapped_column(JSON)
    who: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)


class Change(Table):
    """What somebody did beside judging: a run started or deleted, a retrain handed in or cancelled. Only ever added to."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)
    who: Mapped[str] = mapped_column(String(200))
    what: Mapped[str] = mapped_column(String(40))
    run_id: Mapped[str | None] = mapped_column(String(200), index=True)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


class Job(Table):
    """A piece of long work: what to do, how far it is, how it ended."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    run_id: Mapped[str | None] = mapped_column(String(200), index=True)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    stage: Mapped[str | None] = mapped_column(String(40))
    step: Mapped[int | None] = mapped_column(Integer)
    total: Mapped[int | None] = mapped_column(Integer)
    figures: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)
    eta_seconds: Mapped[float | None] = mapped_column(Float)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    worker_id: Mapped[str | None] = mapped_column(String(200))
    pid: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)
    started_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    heartbeat_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Worker(Table):
    """A worker process that says every second that it is there."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)
    heartbeat_at: Mapped[datetime.datetime] = mapped_column(Moment, default=now)
