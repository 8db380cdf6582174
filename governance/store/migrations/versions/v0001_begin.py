"""The tables of the first version.

Revision 0001, after nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
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


def upgrade() -> None:
    """Make the tables."""
    _state()
    _rules()
    _events()
    _audit()
    _streams()
    _metrics()
    op.create_table(
        "readiness_assessments",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("timestamp", sa.Text, nullable=False),
        sa.Column("assessment", sa.Text, nullable=False, server_default="{}"),
        sqlite_autoincrement=True,
    )
    op.create_index("assessments_by_time", "readiness_assessments", ["timestamp"])


def downgrade() -> None:
    """Drop the tables, and all that they hold."""
    _allow_audit_changes()
    for table in (
        "readiness_assessments",
        "metrics_snapshots",
        "tally_cuts",
        "consumer_offsets",
        "outbox",
        "audit_log",
        "circuit_breaker_events",
        "circuit_breaker_rule_versions",
        "circuit_breaker_rules",
        "phase_history",
        "governance_state",
    ):
        op.drop_table(table)


def _state() -> None:
    """The one row of the state, and the phases that were held."""
    op.create_table(
        "governance_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("current_phase", sa.Text, nullable=False),
        sa.Column("phase_start_date", sa.Text, nullable=False),
        sa.Column("command_whitelist", sa.Text, nullable=False, server_default="[]"),
        sa.Column("paused_command_types", sa.Text, nullable=False, server_default="[]"),
        sa.Column("autonomy_epoch", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("last_report_date", sa.Text),
        sa.Column("last_expansion_date", sa.Text),
        sa.Column("updated_at", sa.Text),
        sa.Column("sealed", sa.Text, nullable=False, server_default=""),
        sa.CheckConstraint("id = 1", name="one_state"),
    )
    op.create_table(
        "phase_history",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("command_whitelist", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("autonomy_epoch", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )


def _rules() -> None:
    """The rules as people see them, with a default for all that the runbook does not name."""
    op.create_table(
        "circuit_breaker_rules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("enabled", sa.Integer, nullable=False, server_default="1"),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("window", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("alert_severity", sa.Text, nullable=False),
        sa.Column("group_by", sa.Text),
        sa.Column("for_duration", sa.Text, nullable=False, server_default="0s"),
        sa.Column("keep_firing_for", sa.Text, nullable=False, server_default="0s"),
        sa.Column("recover_when", sa.Text),
        sa.Column("min_samples", sa.Integer, nullable=False, server_default="1"),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("effective_from", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("updated_at", sa.Text),
        sa.Column("updated_by", sa.Text),
        sa.Column("problem", sa.Text),
        sa.Column("sealed", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "circuit_breaker_rule_versions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("effective_from", sa.BigInteger, nullable=False),
        sa.Column("rule", sa.Text),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Text, nullable=False),
    )


def _events() -> None:
    """The breaker events; the id is that of the action, so each is there once."""
    op.create_table(
        "circuit_breaker_events",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("timestamp", sa.Text, nullable=False),
        sa.Column("rule_name", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("scope_key", sa.Text, nullable=False),
        sa.Column("command_type", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("metrics", sa.Text, nullable=False, server_default="{}"),
        sa.Column("evidence", sa.Text),
        sa.Column("escalation", sa.Text),
        sa.Column("details", sa.Text, nullable=False, server_default=""),
        sa.Column("caused_by", sa.Text),
        sa.Column("due_at", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("autonomy_epoch", sa.BigInteger, nullable=False),
        sa.Column("judge_epoch", sa.BigInteger),
        sa.Column("resolved", sa.Integer, nullable=False, server_default="0"),
        sa.Column("resolved_at", sa.Text),
        sa.Column("resolved_by", sa.Text),
        sa.Column("finding", sa.Text),
        sa.Column("notes", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_time", "circuit_breaker_events", ["timestamp"])
    op.create_index("events_by_cause", "circuit_breaker_events", ["caused_by"])
    _partial_index("events_unresolved", "circuit_breaker_events", "resolved = 0")


def _audit() -> None:
    """The audit log, which the database itself keeps from being changed."""
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    for statement in _guards():
        op.execute(statement)


def _streams() -> None:
    """What Kafka is still to be told, and how far it was read."""
    op.create_table(
        "outbox",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("published_at", sa.Text),
        sqlite_autoincrement=True,
    )
    _partial_index("outbox_unpublished", "outbox", "published_at IS NULL")
    op.create_table(
        "consumer_offsets",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tally_cuts",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source_partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("upto", sa.BigInteger, nullable=False),
    )


def _metrics() -> None:
    """Counts by minute and scope."""
    op.create_table(
        "metrics_snapshots",
        sa.Column("timestamp", sa.Text, primary_key=True),
        sa.Column("scope", sa.Text, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in COUNTED),
    )


def _partial_index(name: str, table: str, condition: str) -> None:
    """Index the few rows of *table* that meet *condition*."""
    op.create_index(
        name,
        table,
        ["seq"],
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )


def _is_postgres() -> bool:
    """Whether the database is PostgreSQL and not SQLite."""
    return op.get_bind().dialect.name == "postgresql"


def _guards() -> list[str]:
    """Return what makes the database refuse to change or delete a row of the audit log."""
    if not _is_postgres():
        return [
            f"CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log BEGIN "
            "SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        "CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log "
        "FOR EACH ROW EXECUTE FUNCTION audit_log_refuse()",
    ]


def _allow_audit_changes() -> None:
    """Take the guards away; SQLite drops its triggers with the table."""
    if _is_postgres():
        op.execute("DROP TRIGGER audit_log_append_only ON audit_log")
        op.execute("DROP FUNCTION audit_log_refuse()")
