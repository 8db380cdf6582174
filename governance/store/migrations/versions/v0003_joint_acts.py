"""Acts that take more than one person, waiting for the others.

Revision 0003, after 0002. Only adds: code of any version before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
oldest_code = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "joint_acts",
        sa.Column("seq", SERIAL, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "status", "document")),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("joint_acts_by_status", "joint_acts", ["status", "seq"])


def downgrade() -> None:
    """Drop the table: what waited was never done, and is forgotten."""
    op.drop_table("joint_acts")
