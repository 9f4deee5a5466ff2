"""Tags of outliers, selections that links name, and views that people keep."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tags",
        sa.Column("run_id", sa.String(200), primary_key=True),
        sa.Column("outlier_id", sa.Integer, primary_key=True),
        sa.Column("tag", sa.String(60), primary_key=True),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "selections",
        sa.Column("run_id", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(20), primary_key=True),
        sa.Column("ids", sa.JSON, nullable=False),
    )
    op.create_table(
        "views",
        sa.Column("run_id", sa.String(200), primary_key=True),
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
