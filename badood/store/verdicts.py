"""People's verdicts on outliers. Nothing is overwritten: every act is kept, and undo takes back exactly the newest one."""

from collections.abc import Iterable
from typing import Literal, get_args

import pandas as pd
from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from badood.core.errors import BadInput
from badood.store.database import Database
from badood.store.tables import Act, Judged, now

Verdict = Literal["keep", "reject", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_LARGEST = 2**31 - 1
"""What an integer column of every database holds."""


def numbers(outlier_ids: Iterable[int]) -> list[int]:
    """Numbers of outliers in their order, each once.

    Raises:
        BadInput: one that no outlier can have.
    """
    chosen = sorted({int(outlier) for outlier in outlier_ids})
    if chosen and not 0 <= chosen[0] <= chosen[-1] <= _LARGEST:
        raise BadInput(f"outliers {chosen[0]} to {chosen[-1]}: they are numbered from 0 on, up to {_LARGEST:,} at most.")
    return chosen


def give(
    database: Database, run_id: str, outlier_ids: Iterable[int], verdict: Verdict, *, who: str, note: str = "", origin: str | None = None
) -> int:
    """Write down one act: a verdict on some outliers of a run.

    Args:
        origin: "BROWSER:ID" of the message that brought it; one that was written already is not written again. None = nobody tells it twice.

    Returns:
        The act's id.

    Raises:
        BadInput: no such verdict, or no outlier.
    """
    chosen = numbers(outlier_ids)
    if verdict not in VERDICTS:
        raise BadInput(f"verdict {verdict!r}: give one of {', '.join(VERDICTS)}.")
    if not chosen:
        raise BadInput("a verdict needs at least one outlier; select some first.")
    try:
        with database.session() as session:
            act = Act(run_id=run_id, verdict=verdict, note=note, who=who, origin=origin)
            session.add(act)
            session.flush()
            session.execute(insert(Judged), [{"act_id": act.id, "outlier_id": outlier} for outlier in chosen])
            return act.id
    except IntegrityError:
        if origin is None:
            raise
        with database.session() as session:
            told = session.scalar(select(Act.id).where(Act.origin == origin))
        if told is None:
            raise
        return told


def undo(database: Database, run_id: str, *, who: str, browser: str | None = None, origin: str | None = None) -> Act | None:
    """Take back this person's newest act on a run that still stands.

    Args:
        browser: only what came from this one, where `who` does not tell people apart; none = from any.
        origin: "BROWSER:ID" of the message that asks for it; one that was heard already takes nothing more back.

    Returns:
        The act, or None where there is nothing to take back.
    """
    with database.session() as session:
        if origin is not None and (heard := session.scalars(select(Act).where(Act.undone_by == origin)).first()):
            return heard
        newest = select(Act).where(Act.run_id == run_id, Act.who == who, Act.undone_at.is_(None)).order_by(Act.id.desc()).limit(1)
        act = session.scalars(newest if browser is None else newest.where(Act.origin.startswith(f"{browser}:", autoescape=True))).first()
        if act is not None:
            session.execute(update(Act).where(Act.id == act.id).values(undone_at=now(), undone_by=origin))
        return act


def _newest(run_id: str) -> Select[int, int]:
    """outlier_id and act_id of the act that decides each outlier's verdict."""
    standing = select(Judged.outlier_id, func.max(Judged.act_id).label("act_id")).join(Act, Act.id == Judged.act_id)
    return standing.where(Act.run_id == run_id, Act.undone_at.is_(None)).group_by(Judged.outlier_id)


def current(database: Database, run_id: str) -> pd.DataFrame:
    """The verdicts that stand: outlier_id (int64), verdict, note, who, at; a row an outlier that has one, by outlier_id."""
    newest = _newest(run_id).subquery()
    query = (
        select(newest.c.outlier_id, Act.verdict, Act.note, Act.who, Act.at)
        .join(Act, Act.id == newest.c.act_id)
        .order_by(newest.c.outlier_id)
    )
    with database.session() as session:
        rows = session.execute(query).all()
    return pd.DataFrame(rows, columns=["outlier_id", "verdict", "note", "who", "at"]).astype({"outlier_id": "int64"})


def of_each(database: Database, run_id: str) -> pd.DataFrame:
    """What each person says, whatever others said later: who, outlier_id (int64), verdict; a row a person and outlier."""
    newest = (
        select(Act.who, Judged.outlier_id, func.max(Act.id).label("act_id"))
        .join(Judged, Act.id == Judged.act_id)
        .where(Act.run_id == run_id, Act.undone_at.is_(None))
        .group_by(Act.who, Judged.outlier_id)
        .subquery()
    )
    query = select(newest.c.who, newest.c.outlier_id, Act.verdict).join(Act, Act.id == newest.c.act_id)
    with database.session() as session:
        rows = session.execute(query.order_by(newest.c.who, newest.c.outlier_id)).all()
    return pd.DataFrame(rows, columns=["who", "outlier_id", "verdict"]).astype({"outlier_id": "int64"})


def history(database: Database, run_id: str, outlier_id: int) -> pd.DataFrame:
    """Every act on one outlier, oldest first: verdict, note, who, at, undone_at."""
    query = select(Act.verdict, Act.note, Act.who, Act.at, Act.undone_at).join(Judged, Judged.act_id == Act.id)
    with database.session() as session:
        rows = session.execute(query.where(Act.run_id == run_id, Judged.outlier_id == outlier_id).order_by(Act.id)).all()
    return pd.DataFrame(rows, columns=["verdict", "note", "who", "at", "undone_at"])
