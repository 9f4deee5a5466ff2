"""Who changed what, and when: verdicts from their own record, all else as it was written down here. Nothing is ever taken out."""

import json
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from badood.store.database import Database
from badood.store.tables import Act, Change, Judged


def write(database: Database, what: str, *, who: str, run_id: str | None = None, **details: Any) -> None:
    """Write down one change.

    Args:
        what: a word or two, such as "delete run". details: what else tells it from others, as JSON takes it.
    """
    with database.session() as session:
        session.add(Change(what=what, who=who, run_id=run_id, details=details))


def read(database: Database, *, run_id: str | None = None, limit: int = 200) -> pd.DataFrame:
    """The newest changes and verdicts: at, who, what, run_id, details (text); newest first.

    Args:
        run_id: of this run only; none = of all. limit: rows at most.
    """
    changes = select(Change.at, Change.who, Change.what, Change.run_id, Change.details).order_by(Change.id.desc()).limit(limit)
    outliers = select(func.count()).where(Judged.act_id == Act.id).scalar_subquery()
    acts = select(Act.at, Act.who, Act.verdict, Act.run_id, outliers, Act.undone_at).order_by(Act.id.desc()).limit(limit)
    if run_id is not None:
        changes, acts = changes.where(Change.run_id == run_id), acts.where(Act.run_id == run_id)
    with database.session() as session:
        rows = [(*row, _shown(details)) for *row, details in session.execute(changes)]
        for at, who, verdict, of, count, undone in session.execute(acts):
            back = f", taken back {undone:%Y-%m-%d %H:%M:%S}" if undone else ""
            rows.append((at, who, f"verdict {verdict}", of, f"{count:,} {'outlier' if count == 1 else 'outliers'}{back}"))
    columns = ["at", "who", "what", "run_id", "details"]
    return pd.DataFrame(rows, columns=columns).sort_values("at", ascending=False, kind="stable").head(limit).reset_index(drop=True)


def _shown(details: dict[str, Any]) -> str:
    return ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in details.items())
