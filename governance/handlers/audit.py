"""The audit log: read, verified, and its head told to the world."""

from __future__ import annotations

from typing import Any, Final

from governance import alerts
from governance.audit import (
    AuditEntry,
    ChainReport,
    Checkpoint,
    state_told,
    states_in,
    verify_chain,
)
from governance.desk import Desk
from governance.handlers.changes import publish_alert
from governance.handlers.records import all_differences
from governance.store import Unit
from governance.store.autonomy import read_autonomy
from schemas.errors import Unavailable

NAMED: Final = 5
"""Records that a sentence names; the report lists all."""


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
    """Return whether the log is as it was written, up to *checkpoints*, and tells the tables.

    A state, an event, a joint act, a proposal or a token that its rows do not tell was changed
    behind the log's back, as by SQL; a running service takes such a change of what waits over, or
    puts it back, within ten seconds.
    """
    told: list[dict[str, Any]] = []
    with desk.store.reading() as unit:
        report = verify_chain(states_in(unit.audit.rows(), told), *checkpoints)
        found = _state(unit) if unit.autonomy.is_there() else None
    if not report.intact:
        return report
    differences = _differences(desk)
    if found != (state_told(told[0]) if told else None):
        differences.insert(0, "the state is not what the log last said of it")
    if not differences:
        return report
    rest = f"; and {len(differences) - NAMED} more" if len(differences) > NAMED else ""
    problem = f"{'; '.join(differences[:NAMED])}{rest}: changed by other means"
    told_too = {"intact": False, "problem": problem, "differences": differences}
    return report.model_copy(update=told_too)


def _differences(desk: Desk) -> list[str]:
    """Return what of the tables is not as the log tells it, in words.

    Tables of a newer version may lack what this one reads; then that is what there is to say.
    """
    try:
        with desk.store.reading() as unit:
            return [str(one) for one in all_differences(desk, unit)]
    except Unavailable as error:
        return [f"the tables cannot be held against the log ({error.detail})"]


def _state(unit: Unit) -> dict[str, Any] | None:
    """Return the stored state as the log would tell it; empty if it cannot be read."""
    try:
        return state_told(read_autonomy(unit.autonomy.stored().found).facts())
    except (ValueError, TypeError):
        return {}
