"""People's verdicts on outliers. Nothing is overwritten: every act is kept, and undo takes back exactly the newest one."""

from collections.abc import Iterable
from typing import Literal, get_args

import pandas as pd
from sqlalchemy import Select, func, insert, select, update

from badood.core.errors import BadInput
from badood.store.database import Database
from badood.store.tables import Act, Judged, now

Verdict = Literal["keep", "reject", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def give(database: Database, run_id: str, outlier_ids: Iterable[int], verdict: Verdict, *, who: str, note: str = "") -> int:
    """Write down one act: a verdict on some outliers of a run.

    Returns:
        The act's id.

    Raises:
        BadInput: no such verdict, or no outlier.
    """
    chosen = sorted({int(outlier) for outlier in outlier_ids})
    if verdict not in VERDICTS:
        raise BadInput(f"verdict {verdict!r}: give one of {', '.join(VERDICTS)}.")
    if not chosen:
        raise BadInput("a verdict needs at least one outlier; select some first.")
    with database.session() as session:
        act = Act(run_id=run_id, verdict=verdict, note=note, who=who)
        session.add(act)
        session.flush()
        session.execute(insert(Judged), [{"act_id": act.id, "outlier_id": outlier} for outlier in chosen])
        return act.id


def undo(database: Database, run_id: str, *, who: str) -> Act | None:
    """Take back this person's newest act on a run that still stands.

    Returns:
        The act, or None where there is nothing to take back.
    """
    with database.session() as session:
        newest = select(Act).where(Act.run_id == run_id, Act.who == who, Act.undone_at.is_(None)).order_by(Act.id.desc()).limit(1)
        act = session.scalars(newest).first()
        if act is not None:
            session.execute(update(Act).where(Act.id == act.id).values(undone_at=now()))
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


def history(database: Database, run_id: str, outlier_id: int) -> pd.DataFrame:
    """Every act on one outlier, oldest first: verdict, note, who, at, undone_at."""
    query = select(Act.verdict, Act.note, Act.who, Act.at, Act.undone_at).join(Judged, Judged.act_id == Act.id)
    with database.session() as session:
        rows = session.execute(query.where(Act.run_id == run_id, Judged.outlier_id == outlier_id).order_by(Act.id)).all()
    return pd.DataFrame(rows, columns=["verdict", "note", "who", "at", "undone_at"])
