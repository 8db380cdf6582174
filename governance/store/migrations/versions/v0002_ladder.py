"""How autonomy is earned back: readiness, proposals, validation, reports, tokens.

Revision 0002, after 0001. Only adds: code of any version before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
oldest_code = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

COUNTED = (
    "proposed",
    "approved",
    "rejected",
    "succeeded",
    "failed",
    "timed_out",
    "rolled_back",
    "overridden",
    "incident_critical",
    "incident_high",
    "incident_medium",
    "incident_low",
    "incident_autonomous",
    "incident_critical_autonomous",
    "constraint_violation",
    "emergency_abort",
    "safety_gate_trigger",
)

EVENT_COLUMNS = ("acknowledged_at", "acknowledged_by", "reopened_at", "incident_id", "cause")


def upgrade() -> None:
    """Make the tables and widen the two that were there."""
    for name in EVENT_COLUMNS:
        op.add_column("circuit_breaker_events", _text(name, nullable=True))
    op.add_column("readiness_assessments", sa.Column("score", sa.Float))
    _readiness()
    _proposals()
    _after_a_rise()
    _reports()
    _people()
    for table in ("metrics_hours", "metrics_days"):
        op.create_table(
            table,
            _text("timestamp", primary_key=True),
            _text("scope", primary_key=True),
            *(_number(name, server_default="0") for name in COUNTED),
        )


def downgrade() -> None:
    """Drop what `upgrade` made, and all that it holds."""
    for table in (
        "metrics_days",
        "metrics_hours",
        "idempotency_keys",
        "api_tokens",
        "governance_reports",
        "cooldowns",
        "validations",
        "proposal_approvals",
        "scope_expansion_proposals",
        "attestations",
        "checklist_items",
    ):
        op.drop_table(table)
    op.drop_column("readiness_assessments", "score")
    for name in EVENT_COLUMNS:
        op.drop_column("circuit_breaker_events", name)


def _text(name: str, **options: object) -> sa.Column[str]:
    """Return a column of text, required unless *options* say otherwise."""
    return sa.Column(name, sa.Text, **{"nullable": False, **options})  # type: ignore[arg-type]


def _number(name: str, **options: object) -> sa.Column[int]:
    """Return a column of whole numbers, required unless *options* say otherwise."""
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})  # type: ignore[arg-type]


def _flag(name: str, **options: object) -> sa.Column[int]:
    """Return a column of small numbers, required unless *options* say otherwise."""
    return sa.Column(name, sa.Integer, **{"nullable": False, **options})  # type: ignore[arg-type]


def _serial() -> sa.Column[int]:
    """Return the number that the database counts up."""
    return sa.Column("seq", SERIAL, primary_key=True)


def _readiness() -> None:
    """Make the checklist and what people attested."""
    op.create_table(
        "checklist_items",
        _text("name", primary_key=True),
        _text("category"),
        _flag("position"),
        _flag("weight"),
        _flag("required"),
        _text("kind"),
        _text("check", nullable=True),
        _text("flag", nullable=True),
        _flag("max_age_days", nullable=True),
        _text("updated_at", nullable=True),
        _text("updated_by", nullable=True),
    )
    op.create_table(
        "attestations",
        _serial(),
        _text("item"),
        _flag("met"),
        _text("evidence_url", nullable=True),
        _text("note", nullable=True),
        _text("source"),
        _text("attested_by"),
        _text("attested_at"),
        _text("expires_at", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("attestations_by_item", "attestations", ["item", "seq"])


def _proposals() -> None:
    """Make the proposals and their approvals."""
    op.create_table(
        "scope_expansion_proposals",
        _serial(),
        _text("id", unique=True),
        _text("timestamp"),
        _text("status"),
        _text("current_phase"),
        _text("target_phase"),
        _text("proposed_by"),
        _text("digest"),
        _number("autonomy_epoch"),
        _text("expires_at"),
        _text("decided_at", nullable=True),
        _text("decided_by", nullable=True),
        _text("reason", nullable=True),
        _flag("version", server_default="1"),
        _text("proposal"),
        sqlite_autoincrement=True,
    )
    op.create_index("proposals_by_status", "scope_expansion_proposals", ["status", "seq"])
    op.create_table(
        "proposal_approvals",
        _serial(),
        _text("proposal_id"),
        _text("role"),
        _text("approver"),
        _text("assurance"),
        _text("digest"),
        _text("approved_at"),
        _text("voided_at", nullable=True),
        _text("void_reason", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "approvals_standing",
        "proposal_approvals",
        ["proposal_id", "role"],
        unique=True,
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )


def _after_a_rise() -> None:
    """Make what follows a promotion and a demotion."""
    op.create_table(
        "validations",
        _serial(),
        _text("proposal_id"),
        _text("phase"),
        _text("previous_phase"),
        _text("started_at"),
        _text("ends_at"),
        _text("status"),
        _flag("extended", server_default="0"),
        _text("criteria"),
        _text("progress", server_default="{}"),
        _text("ended_at", nullable=True),
        _text("reason", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cooldowns",
        _serial(),
        _text("started_at"),
        _text("until"),
        _text("severity"),
        _text("cause"),
        _text("lifted_at", nullable=True),
        _text("lifted_by", nullable=True),
        sqlite_autoincrement=True,
    )


def _reports() -> None:
    """Make the weekly reports; a week has one scheduled report at most."""
    op.create_table(
        "governance_reports",
        _serial(),
        _text("id", unique=True),
        _text("iso_week", nullable=True, unique=True),
        _text("week_start"),
        _text("week_end"),
        _text("generated_at"),
        _text("report"),
        sqlite_autoincrement=True,
    )


def _people() -> None:
    """Make the tokens and the answers that are given again."""
    op.create_table(
        "api_tokens",
        _text("id", primary_key=True),
        _text("principal"),
        _text("roles"),
        _text("scopes", server_default="[]"),
        _text("hash"),
        _text("created_at"),
        _text("created_by"),
        _text("expires_at", nullable=True),
        _text("revoked_at", nullable=True),
        _text("last_used_at", nullable=True),
    )
    op.create_table(
        "idempotency_keys",
        _text("principal", primary_key=True),
        _text("key", primary_key=True),
        _text("request"),
        _flag("status", nullable=True),
        _text("headers", nullable=True),
        _text("body", nullable=True),
        _text("created_at"),
    )
    op.create_index("idempotency_by_age", "idempotency_keys", ["created_at"])
