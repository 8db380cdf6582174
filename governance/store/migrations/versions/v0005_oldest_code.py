"""What each revision says of older code, for older code that cannot read the revision itself.

Revision 0005, after 0004. Only adds: code of any version before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    """Make the table; its rows are written after each migration."""
    op.create_table(
        "schema_revisions",
        sa.Column("revision", sa.Text, primary_key=True),
        sa.Column("oldest_code", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop it: older code then refuses what it does not know."""
    op.drop_table("schema_revisions")
