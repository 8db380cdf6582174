"""Breaker events by kind, as every scrape and every rule's record counts them.

Revision 0004, after 0003. Only adds: code of any version before runs on it.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    """Make the index: counting ten thousand events takes a fifth of the time."""
    op.create_index(
        "events_by_kind",
        "circuit_breaker_events",
        ["rule_name", "action", "severity", "resolved", "timestamp"],
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("events_by_kind", table_name="circuit_breaker_events")
