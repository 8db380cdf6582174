"""The audit log's rows; nothing here changes or removes one, and the database refuses to."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from governance.audit import GENESIS, Act, AuditEntry, AuditRow, Checkpoint, canonical, chained
from governance.store.moments import read_moment
from governance.store.tables import audit_log
from schemas.wire import iso


class AuditShelf:
    """Appends to the chain and reads it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._head: Checkpoint | None = None
        self.has_appended = False
        """Whether this unit wrote a row, which may yet be undone."""

    def append(
        self,
        act: Act,
        subject: str,
        *,
        actor: str,
        at: datetime,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> AuditRow:
        """Add a row to the end of the chain and return it."""
        head = self.head()
        facts = (
            head.seq + 1,
            iso(at),
            actor,
            act.value,
            subject,
            canonical(before),
            canonical(after),
        )
        row = AuditRow(*facts, prev_hash=head.hash, hash=chained(head.hash, facts))
        self._connection.execute(insert(audit_log), row._asdict())
        self._head = Checkpoint(row.seq, row.hash)
        self.has_appended = True
        return row

    def head(self) -> Checkpoint:
        """Return the last row's number and hash; 0 and zeros for an empty log."""
        if self._head is None:
            self._head = self._read_head()
        return self._head

    def forget(self) -> None:
        """Look for the head anew: what was appended may have been undone."""
        self._head = None

    def _read_head(self) -> Checkpoint:
        """Ask the database for the last row; nobody else appends while this unit writes."""
        last = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
        found = self._connection.execute(last).first()
        return Checkpoint(found.seq, found.hash) if found else Checkpoint(0, GENESIS)

    def has(self, row: Checkpoint) -> bool:
        """Whether *row* is there, with the same hash."""
        found = select(audit_log.c.hash).where(audit_log.c.seq == row.seq)
        return bool(self._connection.execute(found).scalar() == row.hash)

    def rows(self, *, after: int = 0) -> Iterator[tuple[Any, ...]]:
        """Return every row behind number *after* in order, a thousand in memory at a time."""
        chain = select(*audit_log.c).where(audit_log.c.seq > after).order_by(audit_log.c.seq)
        options = {"yield_per": 1_000}
        with self._connection.execute(chain, execution_options=options) as streamed:
            for row in streamed:
                yield tuple(row)

    def telling(self, acts: Collection[str], *, after: int = 0) -> Iterator[AuditRow]:
        """Return the rows of *acts* behind number *after* in order; one that was edited is none.

        Who edits a row by SQL cannot compute its hash there. Whether the chain is whole is
        another question.
        """
        chain = (
            select(*audit_log.c)
            .where(audit_log.c.seq > after, audit_log.c.act.in_(sorted(acts)))
            .order_by(audit_log.c.seq)
        )
        with self._connection.execute(chain, execution_options={"yield_per": 1_000}) as streamed:
            for found in streamed:
                row = AuditRow(*found)
                if chained(row.prev_hash, row[:7]) == row.hash:
                    yield row

    def of_subject(self, subject: str) -> list[AuditRow]:
        """Return what was done to *subject*, oldest first; reads the whole log, for rare use."""
        wanted = select(*audit_log.c).where(audit_log.c.subject == subject)
        found = self._connection.execute(wanted.order_by(audit_log.c.seq))
        return [AuditRow(*row) for row in found]

    def entries(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """Return the newest *limit* acts, or those before number *before*, newest first."""
        wanted = select(*audit_log.c).order_by(audit_log.c.seq.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(audit_log.c.seq < before)
        return [_entry(AuditRow(*row)) for row in self._connection.execute(wanted)]


def _entry(row: AuditRow) -> AuditEntry:
    """Return a stored row with its snapshots read."""
    return AuditEntry(
        seq=row.seq,
        at=read_moment(row.at),
        actor=row.actor,
        act=row.act,
        subject=row.subject,
        before=json.loads(row.before) if row.before else None,
        after=json.loads(row.after) if row.after else None,
        hash=row.hash,
    )
