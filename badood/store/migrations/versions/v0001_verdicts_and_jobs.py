"""Verdicts and jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "acts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False, index=True),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("undone_at", _MOMENT),
    )
    op.create_table(
        "judged",
        sa.Column("act_id", sa.Integer, sa.ForeignKey("acts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("outlier_id", sa.Integer, primary_key=True),
    )
    op.create_index("judged_outlier", "judged", ["outlier_id", "act_id"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("run_id", sa.String(200), index=True),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("stage", sa.String(40)),
        sa.Column("step", sa.Integer),
        sa.Column("total", sa.Integer),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("eta_seconds", sa.Float),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("worker_id", sa.String(200)),
        sa.Column("pid", sa.Integer),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.Column("heartbeat_at", _MOMENT),
        sa.Column("error", sa.Text),
        sa.Column("result", sa.JSON),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("heartbeat_at", _MOMENT, nullable=False),
    )
