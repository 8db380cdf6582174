"""The pause of everything, its exceptions, refused outbox rows, and protected command types.

Revision 0008, after 0007. Only adds: code of any version before runs on it. Such code does not
tell of a pause of everything, but what the kill switch does besides (L3, nothing allowed) holds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
oldest_code = "0001"

WAITING = "published_at IS NULL"


def upgrade() -> None:
    """Add columns and a table; nothing is paused by them, nothing was refused or is protected."""
    op.add_column(
        "governance_state",
        sa.Column("all_paused", sa.Integer, nullable=False, server_default="0"),
    )
    op.add_column(
        "governance_state",
        sa.Column("resumed_command_types", sa.Text, nullable=False, server_default="[]"),
    )
    op.add_column("outbox", sa.Column("refused", sa.Text))
    op.create_table(
        "protected_command_types",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("effective_from", sa.BigInteger, nullable=False),
        sa.Column("command_types", sa.Text, nullable=False),
    )
    op.create_index(
        "outbox_waiting",
        "outbox",
        ["topic", "seq"],
        sqlite_where=sa.text(WAITING),
        postgresql_where=sa.text(WAITING),
    )


def downgrade() -> None:
    """Drop them: a pause of everything is then not told any more."""
    op.drop_index("outbox_waiting", "outbox")
    op.drop_table("protected_command_types")
    op.drop_column("outbox", "refused")
    op.drop_column("governance_state", "resumed_command_types")
    op.drop_column("governance_state", "all_paused")
