"""The tables of how autonomy is earned back: readiness, proposals, validation, reports, people.

The same conventions as `governance.store.tables`: moments and JSON documents are text.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from governance.store.tables import COUNTED, SCHEMA, SERIAL

checklist_items: Final = Table(
    "checklist_items",
    SCHEMA,
    Column("name", Text, primary_key=True),
    Column("category", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("required", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("check", Text),
    Column("flag", Text),
    Column("max_age_days", Integer),
    Column("updated_at", Text),
    Column("updated_by", Text),
)

attestations: Final = Table(
    "attestations",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("item", Text, nullable=False),
    Column("met", Integer, nullable=False),
    Column("evidence_url", Text),
    Column("note", Text),
    Column("source", Text, nullable=False),
    Column("attested_by", Text, nullable=False),
    Column("attested_at", Text, nullable=False),
    Column("expires_at", Text),
    Index("attestations_by_item", "item", "seq"),
    sqlite_autoincrement=True,
)

governance_reports: Final = Table(
    "governance_reports",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("iso_week", Text, unique=True),
    Column("week_start", Text, nullable=False),
    Column("week_end", Text, nullable=False),
    Column("generated_at", Text, nullable=False),
    Column("report", Text, nullable=False),
    sqlite_autoincrement=True,
)

scope_expansion_proposals: Final = Table(
    "scope_expansion_proposals",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("timestamp", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("current_phase", Text, nullable=False),
    Column("target_phase", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("autonomy_epoch", BigInteger, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("decided_at", Text),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("proposal", Text, nullable=False),
    Index("proposals_by_status", "status", "seq"),
    sqlite_autoincrement=True,
)

proposal_approvals: Final = Table(
    "proposal_approvals",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("proposal_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("assurance", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("approved_at", Text, nullable=False),
    Column("voided_at", Text),
    Column("void_reason", Text),
    Index(
        "approvals_standing",
        "proposal_id",
        "role",
        unique=True,
        sqlite_where=text("voided_at IS NULL"),
        postgresql_where=text("voided_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

validations: Final = Table(
    "validations",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("proposal_id", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("previous_phase", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("ends_at", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("extended", Integer, nullable=False, server_default="0"),
    Column("criteria", Text, nullable=False),
    Column("progress", Text, nullable=False, server_default="{}"),
    Column("ended_at", Text),
    Column("reason", Text),
    sqlite_autoincrement=True,
)

cooldowns: Final = Table(
    "cooldowns",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("started_at", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("lifted_at", Text),
    Column("lifted_by", Text),
    sqlite_autoincrement=True,
)

api_tokens: Final = Table(
    "api_tokens",
    SCHEMA,
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("scopes", Text, nullable=False, server_default="[]"),
    Column("hash", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Text),
    Column("revoked_at", Text),
    Column("last_used_at", Text),
)

idempotency_keys: Final = Table(
    "idempotency_keys",
    SCHEMA,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", Text),
    Column("created_at", Text, nullable=False),
    Index("idempotency_by_age", "created_at"),
)

joint_acts: Final = Table(
    "joint_acts",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("joint_acts_by_status", "status", "seq"),
    sqlite_autoincrement=True,
)

_ROLLED_UP: Final = tuple(
    Table(
        name,
        SCHEMA,
        Column("timestamp", Text, primary_key=True),
        Column("scope", Text, primary_key=True),
        *(Column(column, BigInteger, nullable=False, server_default="0") for column in COUNTED),
    )
    for name in ("metrics_hours", "metrics_days")
)
metrics_hours, metrics_days = _ROLLED_UP
