"""The tables as the code sees them; the migrations make them, and a test keeps the two equal.

Moments are ISO 8601 text in UTC, so that the runbook's SQL compares them as text. Flags are 0
and 1. Every column that the runbook's INSERT does not name has a default in the database.
``sealed`` is what this service last wrote of a row: a row that differs was changed by SQL.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from schemas import tallies

SCHEMA: Final = MetaData()

SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up; SQLite does so only for its own INTEGER."""

COUNTED: Final = tuple(column.name.lower() for column in tallies.Column)
"""One column of `metrics_snapshots` for each column of a tally, in its order."""

governance_state = Table(
    "governance_state",
    SCHEMA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("current_phase", Text, nullable=False),
    Column("phase_start_date", Text, nullable=False),
    Column("command_whitelist", Text, nullable=False, server_default="[]"),
    Column("paused_command_types", Text, nullable=False, server_default="[]"),
    Column("all_paused", Integer, nullable=False, server_default="0"),
    Column("resumed_command_types", Text, nullable=False, server_default="[]"),
    Column("autonomy_epoch", BigInteger, nullable=False, server_default="1"),
    Column("last_report_date", Text),
    Column("last_expansion_date", Text),
    Column("updated_at", Text),
    Column("sealed", Text, nullable=False, server_default=""),
    CheckConstraint("id = 1", name="one_state"),
)

circuit_breaker_rules = Table(
    "circuit_breaker_rules",
    SCHEMA,
    Column("name", Text, primary_key=True),
    Column("enabled", Integer, nullable=False, server_default="1"),
    Column("condition", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("alert_severity", Text, nullable=False),
    Column("group_by", Text),
    Column("for_duration", Text, nullable=False, server_default="0s"),
    Column("keep_firing_for", Text, nullable=False, server_default="0s"),
    Column("recover_when", Text),
    Column("min_samples", Integer, nullable=False, server_default="1"),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("effective_from", BigInteger, nullable=False, server_default="0"),
    Column("updated_at", Text),
    Column("updated_by", Text),
    Column("problem", Text),
    Column("sealed", Text, nullable=False, server_default=""),
)

circuit_breaker_rule_versions = Table(
    "circuit_breaker_rule_versions",
    SCHEMA,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("effective_from", BigInteger, nullable=False),
    Column("rule", Text),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Text, nullable=False),
)

circuit_breaker_events = Table(
    "circuit_breaker_events",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("timestamp", Text, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_key", Text, nullable=False),
    Column("command_type", Text),
    Column("action", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("metrics", Text, nullable=False, server_default="{}"),
    Column("evidence", Text),
    Column("escalation", Text),
    Column("details", Text, nullable=False, server_default=""),
    Column("caused_by", Text),
    Column("due_at", Text, nullable=False),
    Column("recorded_at", Text, nullable=False),
    Column("autonomy_epoch", BigInteger, nullable=False),
    Column("judge_epoch", BigInteger),
    Column("resolved", Integer, nullable=False, server_default="0"),
    Column("resolved_at", Text),
    Column("resolved_by", Text),
    Column("finding", Text),
    Column("notes", Text),
    Column("acknowledged_at", Text),
    Column("acknowledged_by", Text),
    Column("reopened_at", Text),
    Column("incident_id", Text),
    Column("cause", Text),
    Index("events_by_time", "timestamp"),
    Index("events_by_cause", "caused_by"),
    Index("events_by_kind", "rule_name", "action", "severity", "resolved", "timestamp"),
    Index(
        "events_unresolved",
        "seq",
        sqlite_where=text("resolved = 0"),
        postgresql_where=text("resolved = 0"),
    ),
    sqlite_autoincrement=True,
)

audit_log = Table(
    "audit_log",
    SCHEMA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

outbox = Table(
    "outbox",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("published_at", Text),
    Column("refused", Text),
    Index(
        "outbox_waiting",
        "topic",
        "seq",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
    Index(
        "outbox_unpublished",
        "seq",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

consumer_offsets = Table(
    "consumer_offsets",
    SCHEMA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)

tally_cuts = Table(
    "tally_cuts",
    SCHEMA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("source_partition", Integer, primary_key=True, autoincrement=False),
    Column("upto", BigInteger, nullable=False),
)

metrics_snapshots = Table(
    "metrics_snapshots",
    SCHEMA,
    Column("timestamp", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTED),
)

phase_history = Table(
    "phase_history",
    SCHEMA,
    Column("seq", SERIAL, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("command_whitelist", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("cause", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("autonomy_epoch", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

readiness_assessments = Table(
    "readiness_assessments",
    SCHEMA,
    Column("id", SERIAL, primary_key=True),
    Column("timestamp", Text, nullable=False),
    Column("assessment", Text, nullable=False, server_default="{}"),
    Column("score", Float),
    Index("assessments_by_time", "timestamp"),
    sqlite_autoincrement=True,
)

service_lease = Table(
    "service_lease",
    SCHEMA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("fencing", BigInteger, nullable=False, server_default="0"),
    Column("beat", BigInteger, nullable=False, server_default="0"),
    Column("holder", Text, nullable=False, server_default=""),
    CheckConstraint("id = 1", name="one_lease"),
)

protected_command_types = Table(
    "protected_command_types",
    SCHEMA,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("effective_from", BigInteger, nullable=False),
    Column("command_types", Text, nullable=False),
)

schema_revisions = Table(
    "schema_revisions",
    SCHEMA,
    Column("revision", Text, primary_key=True),
    Column("oldest_code", Text, nullable=False),
)
