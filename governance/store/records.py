"""Rows as they are, whatever SQL made of them: looked at, and put back to what the log tells."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select, update

from governance.joint_acts import JointStatus
from governance.proposals import ProposalStatus
from governance.store.ladder_tables import (
    api_tokens,
    checklist_items,
    joint_acts,
    proposal_approvals,
    scope_expansion_proposals,
)
from governance.store.tables import circuit_breaker_events, circuit_breaker_rule_versions

AT_ONCE: Final = 500
"""Ids in one query: databases take only so many parameters."""

Row = Mapping[str, Any]

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (circuit_breaker_events, joint_acts, scope_expansion_proposals, api_tokens)
}
"""The tables whose rows the audit log tells, by name."""


class RecordShelf:
    """Reads rows without understanding them, so that none is passed over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, table: str, ids: Iterable[str]) -> list[Row]:
        """Return the rows of *ids* that are there."""
        wanted, column = sorted(ids), TABLES[table].c.id
        found: list[Row] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = select(TABLES[table]).where(column.in_(wanted[start : start + AT_ONCE]))
            found += [dict(row) for row in self._connection.execute(some).mappings()]
        return found

    def every(self, table: str) -> Iterator[Row]:
        """Return every row in its order, a thousand in memory at a time."""
        chosen = TABLES[table]
        options = {"yield_per": 1_000}
        wanted = select(chosen).order_by(chosen.c.get("seq", chosen.c.id))
        with self._connection.execute(wanted, execution_options=options) as streamed:
            for row in streamed.mappings():
                yield dict(row)

    def waiting_ids(self) -> dict[str, list[str]]:
        """Return the ids of acts and proposals that wait for people, as their rows say."""
        acts = select(joint_acts.c.id).where(joint_acts.c.status == JointStatus.WAITING.value)
        chosen = scope_expansion_proposals.c
        pending = select(chosen.id).where(chosen.status == ProposalStatus.PENDING.value)
        return {
            joint_acts.name: list(self._connection.execute(acts).scalars()),
            scope_expansion_proposals.name: list(self._connection.execute(pending).scalars()),
        }

    def newest_versions(self) -> list[Row]:
        """Return the row of the last version of every rule."""
        newest = {
            row["name"]: dict(row)
            for row in self._connection.execute(
                select(circuit_breaker_rule_versions).order_by(
                    circuit_breaker_rule_versions.c.version
                )
            ).mappings()
        }
        return list(newest.values())

    def checklist_rows(self) -> list[Row]:
        """Return the row of every item of the checklist."""
        found = self._connection.execute(select(checklist_items)).mappings()
        return [dict(row) for row in found]

    def approvals(self, proposal_ids: Collection[str]) -> list[Row]:
        """Return the approvals of *proposal_ids*, in the order in which they were given."""
        chosen = proposal_approvals.c
        wanted = select(proposal_approvals).where(chosen.proposal_id.in_(proposal_ids))
        rows = self._connection.execute(wanted.order_by(chosen.seq)).mappings()
        return [dict(row) for row in rows]

    def approved_ids(self) -> set[str]:
        """Return the ids of which there are approvals, of whatever is no proposal too."""
        wanted = select(proposal_approvals.c.proposal_id).distinct()
        return set(self._connection.execute(wanted).scalars())

    def put(self, table: str, record_id: str, columns: Row) -> None:
        """Write *columns* of a row, which is inserted if it is gone."""
        chosen = TABLES[table]
        here = update(chosen).where(chosen.c.id == record_id).values(**columns)
        if not self._connection.execute(here).rowcount:
            self._connection.execute(insert(chosen).values(id=record_id, **columns))

    def remove(self, table: str, record_id: str) -> None:
        """Remove a row that is no record of ours."""
        self._connection.execute(delete(TABLES[table]).where(TABLES[table].c.id == record_id))
