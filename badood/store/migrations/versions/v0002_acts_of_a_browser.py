"""Acts say which browser told them, so that one that is told twice is written once."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; acts of before have none."""
    op.add_column("acts", sa.Column("origin", sa.String(160)))
    op.add_column("acts", sa.Column("undone_by", sa.String(160)))
    op.create_index("acts_origin", "acts", ["origin"], unique=True)
    op.create_index("acts_undone_by", "acts", ["undone_by"])
