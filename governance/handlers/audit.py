"""The audit log: read, verified, and its head told to the world."""

from __future__ import annotations

from typing import Any

from governance import alerts
from governance.audit import (
    STATE_FACTS,
    AuditEntry,
    ChainReport,
    Checkpoint,
    states_in,
    verify_chain,
)
from governance.desk import Desk
from governance.handlers.changes import publish_alert
from governance.store import Unit
from governance.store.autonomy import read_autonomy


def list_audit(desk: Desk, *, limit: int = 100, before: int | None = None) -> list[AuditEntry]:
    """Return the newest *limit* acts, or those before number *before*, newest first."""
    with desk.store.reading() as unit:
        return unit.audit.entries(before=before, limit=limit)


def show_audit_head(desk: Desk) -> Checkpoint:
    """Return the head of the chain: keep it elsewhere, and a cut-off tail will show."""
    with desk.store.reading() as unit:
        return unit.audit.head()


def publish_audit_head(desk: Desk, last: Checkpoint | None = None) -> Checkpoint:
    """Tell Kafka the head of the chain unless it is still *last*; return the head.

    What is cut off or written anew behind it shows by that, whoever owns the database.

    Raises:
        Unavailable: the database is busy or away; telling again is safe.
    """
    if last is not None and show_audit_head(desk) == last:
        return last
    now = desk.clock()
    with desk.store.writing() as unit:
        head, epoch = unit.audit.head(), unit.autonomy.load().epoch
        publish_alert(unit, alerts.audit_head(head, epoch=epoch, at=now), now)
    return head


def verify_audit(desk: Desk, *checkpoints: Checkpoint | None) -> ChainReport:
    """Return whether the log is as it was written, up to *checkpoints*, and tells the state.

    A state that the last row about it does not tell was changed behind the log's back, as by
    SQL; a running service takes such a change over, or puts it back, within ten seconds.
    """
    told: list[dict[str, Any]] = []
    with desk.store.reading() as unit:
        report = verify_chain(states_in(unit.audit.rows(), told), *checkpoints)
        found = _state(unit) if unit.autonomy.is_there() else None
    if not report.intact or found == (_comparable(told[0]) if told else None):
        return report
    problem = "the state is not what the log last said of it: it was changed by other means"
    return report.model_copy(update={"intact": False, "problem": problem})


def _state(unit: Unit) -> dict[str, Any] | None:
    """Return the stored state as the log would tell it; empty if it cannot be read."""
    try:
        return _comparable(read_autonomy(unit.autonomy.stored().found).facts())
    except (ValueError, TypeError):
        return {}


def _comparable(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what *facts* say of the state alone."""
    return {name: facts[name] for name in STATE_FACTS}
