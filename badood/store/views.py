"""What people want to see again: selections of outliers that links name, and views of the grid under a name."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, select

from badood.core.errors import BadInput
from badood.store.database import Database
from badood.store.tables import Selection, View

LONGEST = 60
"""Letters of a view's name."""


def keep_selection(database: Database, run_id: str, outlier_ids: Iterable[int]) -> str:
    """Write down a selection of outliers of a run; its key, the same for the same ones."""
    ids = sorted({int(outlier) for outlier in outlier_ids})
    key = hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]
    with database.session() as session:
        session.merge(Selection(run_id=run_id, key=key, ids=ids))
    return key


def selection(database: Database, run_id: str, key: str) -> tuple[int, ...]:
    """The selection of a key, ascending.

    Raises:
        BadInput: the run has none of this key.
    """
    with database.session() as session:
        found = session.get(Selection, (run_id, key))
    if found is None:
        raise BadInput(f"run {run_id} has no selection {key[:20]!r}; it was made in another store, or the link was cut. Select again.")
    return tuple(found.ids)


def save(database: Database, run_id: str, name: str, shown: Mapping[str, Any], *, who: str) -> None:
    """Keep a view under a name; one of that name is replaced.

    Args:
        shown: what it shows, of what JSON has.

    Raises:
        BadInput: the name is empty or too long.
    """
    plain = name.strip()
    if not 0 < len(plain) <= LONGEST:
        raise BadInput(f"view {name[: LONGEST + 1]!r}: give a name of one to {LONGEST} letters.")
    with database.session() as session:
        session.merge(View(run_id=run_id, name=plain, shown=dict(shown), who=who))


def drop(database: Database, run_id: str, name: str) -> None:
    """Forget a view; nothing happens where there is none of this name."""
    with database.session() as session:
        session.execute(delete(View).where(View.run_id == run_id, View.name == name))


def saved(database: Database, run_id: str) -> dict[str, dict[str, Any]]:
    """What a run's views show, by their names."""
    with database.session() as session:
        found = session.scalars(select(View).where(View.run_id == run_id).order_by(View.name)).all()
    return {view.name: view.shown for view in found}
