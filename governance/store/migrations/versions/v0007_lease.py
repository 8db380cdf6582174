"""The lease: which of the services on this database is the active one.

Revision 0007, after 0006. Only adds: code of any version before runs on it. It asks nobody for the
lease, though, so it must not run beside a service that does.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    """Make the table; its one row is written by the first service."""
    op.create_table(
        "service_lease",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fencing", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("beat", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("holder", sa.Text, nullable=False, server_default=""),
        sa.CheckConstraint("id = 1", name="one_lease"),
    )


def downgrade() -> None:
    """Drop it: older code asks nobody who is active."""
    op.drop_table("service_lease")
