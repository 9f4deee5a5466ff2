"""Words that people put on outliers, to find them again."""

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import delete, select

from badood.core.errors import BadInput
from badood.store import verdicts
from badood.store.database import Database
from badood.store.tables import Tag

LONGEST = 60
"""Letters of a tag."""


def put(database: Database, run_id: str, outlier_ids: Iterable[int], tag: str, *, who: str) -> None:
    """Put a tag on outliers of a run. Those that have it keep it as it is.

    Args:
        tag: spaces around it do not count.

    Raises:
        BadInput: no such outlier; or the tag is empty, too long, or holds ";", which separates tags in exports.
    """
    name = tag.strip()
    if not 0 < len(name) <= LONGEST or ";" in name:
        raise BadInput(f"tag {tag[: LONGEST + 1]!r}: give one to {LONGEST} letters, none of them a semicolon.")
    wanted = set(verdicts.numbers(outlier_ids))
    with database.session() as session:
        having = set(session.scalars(select(Tag.outlier_id).where(Tag.run_id == run_id, Tag.tag == name)))
        session.add_all(Tag(run_id=run_id, outlier_id=outlier, tag=name, who=who) for outlier in sorted(wanted - having))


def take_off(database: Database, run_id: str, outlier_id: int, tag: str) -> None:
    """Take a tag off an outlier; nothing happens where it has none."""
    with database.session() as session:
        session.execute(delete(Tag).where(Tag.run_id == run_id, Tag.outlier_id == outlier_id, Tag.tag == tag))


def current(database: Database, run_id: str) -> pd.DataFrame:
    """All tags of a run: outlier_id (int64), tag, who, at; by outlier_id and tag."""
    query = select(Tag.outlier_id, Tag.tag, Tag.who, Tag.at).where(Tag.run_id == run_id).order_by(Tag.outlier_id, Tag.tag)
    with database.session() as session:
        rows = session.execute(query).all()
    return pd.DataFrame(rows, columns=["outlier_id", "tag", "who", "at"]).astype({"outlier_id": "int64"})


def with_verdicts(database: Database, run_id: str) -> pd.DataFrame:
    """What people say of a run's outliers: `verdicts.current` and a column tags ("one;other", in their order); a row an outlier that has either."""
    tags = current(database, run_id).groupby("outlier_id")["tag"].agg(";".join).rename("tags").reset_index()
    return verdicts.current(database, run_id).merge(tags.astype({"outlier_id": "int64"}), on="outlier_id", how="outer")
