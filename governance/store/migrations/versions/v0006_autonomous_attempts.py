"""Attempts that nobody had approved, counted apart.

Revision 0006, after 0005. Only adds: code of any version before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
oldest_code = "0001"

TABLES = ("metrics_snapshots", "metrics_hours", "metrics_days")
COUNTED = ("succeeded_autonomous", "failed_autonomous")


def upgrade() -> None:
    """Add the columns; what was counted before is not known, and is 0."""
    for table in TABLES:
        for name in COUNTED:
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them."""
    for table in TABLES:
        for name in COUNTED:
            op.drop_column(table, name)
