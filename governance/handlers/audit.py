"""The audit log: read and verified."""

from __future__ import annotations

from governance.audit import AuditEntry, ChainReport, Checkpoint, verify_chain
from governance.desk import Desk


def list_audit(desk: Desk, *, limit: int = 100, before: int | None = None) -> list[AuditEntry]:
    """Return the newest *limit* acts, or those before number *before*, newest first."""
    with desk.store.reading() as unit:
        return unit.audit.entries(before=before, limit=limit)


def show_audit_head(desk: Desk) -> Checkpoint:
    """Return the head of the chain: keep it elsewhere, and a cut-off tail will show."""
    with desk.store.reading() as unit:
        return unit.audit.head()


def verify_audit(desk: Desk, checkpoint: Checkpoint | None = None) -> ChainReport:
    """Return whether the whole log is as it was written, up to *checkpoint* at least."""
    with desk.store.reading() as unit:
        return verify_chain(unit.audit.rows(), checkpoint)
