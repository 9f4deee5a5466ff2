"""What people and workers write down: verdicts and jobs, in SQLite by default, in any SQLAlchemy database otherwise."""

from badood.store.database import Database, open_database, patiently

__all__ = ["Database", "open_database", "patiently"]
