"""Records held against the audit log: what is not as the log tells it was changed by SQL.

A look at what waits costs what came since the last look, and a row for each record that waits.
Whoever carries anything out looks in the transaction that does it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from governance.desk import Desk
from governance.handlers.standing_repairs import standing_differences
from governance.proposals import ProposalStatus
from governance.provenance import TELLING, Ledger, events, joint_acts, proposals, tokens
from governance.provenance.differences import GONE, UNTOLD, Difference
from governance.store import Unit
from governance.store.proposals import misfits
from governance.store.proposals import read_row as read_proposal
from governance.store.tokens import read_row as read_token_row
from schemas.errors import Unavailable
from schemas.wire import iso

EVENTS: Final = "circuit_breaker_events"
ACTS: Final = "joint_acts"
PROPOSALS: Final = "scope_expansion_proposals"
TOKENS: Final = "api_tokens"

CLEANED: Final = timedelta(days=89)
"""The runbook deletes what is 90 days old, and counts by text, which is up to a day off."""

Row = Mapping[str, Any]

NOBODYS: Final[Mapping[str, list[Row]]] = MappingProxyType({})
"""The approvals of what takes none."""


def check_records(desk: Desk, unit: Unit, *ids: str) -> None:
    """Check that what waits, and the records *ids*, are what the log tells, in this transaction.

    Raises:
        Unavailable: SQL changed one this moment; it is put back before the next try.
    """
    for found in present_differences(desk, unit, ids):
        raise Unavailable("database", f"{found}; it is looked into, ask again")


def present_differences(desk: Desk, unit: Unit, ids: Collection[str] = ()) -> Iterator[Difference]:
    """Return how what waits and what stands differs from what is told."""
    ledger = ledger_of(desk, unit)
    yield from standing_differences(unit, ledger.standing, desk.clock())
    yield from waiting_differences(unit, ledger, ids)


def ledger_of(desk: Desk, unit: Unit) -> Ledger:
    """Return what the log tells, as *unit* sees it; reading, the ledger's turn is held."""
    return desk.ledger.at(unit, lasting=not unit.audit.has_appended)


def waiting_differences(
    unit: Unit, ledger: Ledger, ids: Collection[str] = ()
) -> Iterator[Difference]:
    """Return how what waits for people, and the records *ids*, differ from what is told.

    An unresolved event that no row tells is not among them: it only keeps people waiting.
    """
    shown = unit.records.waiting_ids()
    yield from _differing(EVENTS, unit.records.rows(EVENTS, ledger.events), ledger.events)
    acts = unit.records.rows(ACTS, {*ledger.joint_acts, *shown[ACTS], *ids})
    waiting = [row for row in acts if row["id"] in ledger.joint_acts or joint_acts.waits(row)]
    yield from _differing(ACTS, waiting, ledger.joint_acts)
    stored = unit.records.rows(PROPOSALS, {*ledger.proposals, *shown[PROPOSALS], *ids})
    pending = [row for row in stored if row["id"] in ledger.proposals or _is_pending(row)]
    given = _approvals(unit, pending)
    yield from _differing(PROPOSALS, pending, ledger.proposals, given)
    yield from _differing(TOKENS, unit.records.every(TOKENS), ledger.tokens)


def all_differences(desk: Desk, unit: Unit) -> Iterator[Difference]:
    """Return how any record of any age differs from what is told; reads everything."""
    ledger = Ledger(keeps=True).read_on(unit.audit.telling(TELLING), unit.audit.head())
    cleaned = max(iso(desk.clock() - CLEANED), ledger.pruned_before)
    for found in _differing(EVENTS, unit.records.every(EVENTS), ledger.events):
        if not _is_cleaned(found, ledger, cleaned):
            yield found
    yield from standing_differences(unit, ledger.standing, desk.clock())
    yield from _differing(ACTS, unit.records.every(ACTS), ledger.joint_acts)
    stored = list(unit.records.every(PROPOSALS))
    yield from _differing(PROPOSALS, stored, ledger.proposals, _approvals(unit, stored))
    yield from _differing(TOKENS, unit.records.every(TOKENS), ledger.tokens)
    for orphan in sorted(unit.records.approved_ids() - {row["id"] for row in stored}):
        yield Difference(PROPOSALS, orphan, GONE)


def told_of(unit: Unit, record_id: str) -> Ledger:
    """Return what the log tells of one record, decided or not; reads the whole log."""
    rows = [row for row in unit.audit.of_subject(record_id) if row.act in TELLING]
    return Ledger(keeps=True).read_on(rows, unit.audit.head())


def _differing(
    table: str,
    rows: Iterable[Row],
    known: Mapping[str, Any],
    given: Mapping[str, list[Row]] = NOBODYS,
) -> Iterator[Difference]:
    """Return how *rows* differ from what is *known* of them."""
    seen = set()
    for row in rows:
        name, told = row["id"], known.get(row["id"])
        seen.add(name)
        if told is None:
            yield Difference(table, name, UNTOLD)
        elif fields := COMPARED[table](row, told, given.get(name, [])):
            yield Difference(table, name, tuple(fields))
    for name in known.keys() - seen:
        yield Difference(table, name, GONE)


def _is_pending(row: Row) -> bool:
    """Whether a stored proposal waits for people, by its column or by its document."""
    found = read_proposal(row, [])
    by_document = found is not None and found.status is ProposalStatus.PENDING
    return by_document or row["status"] == ProposalStatus.PENDING


def _approvals(unit: Unit, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of approvals of each proposal of *rows*."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in unit.records.approvals([row["id"] for row in rows]):
        found[row["proposal_id"]].append(row)
    return found


def _of_proposal(row: Row, told: proposals.ToldProposal, given: list[Row]) -> list[str]:
    """Return in what a stored proposal is not what is told."""
    names = misfits(row, given)
    found = read_proposal(row, given)
    if found is not None:
        content = proposals.document_digest(row["proposal"])
        theirs = proposals.differing(found, told, content=content)
        names += [one for one in theirs if one not in names]
    return names


def _of_token(row: Row, told: tokens.ToldToken, _: list[Row]) -> list[str]:
    """Return in what a stored token is not what is told."""
    found = read_token_row(row)
    return ["row"] if found is None else tokens.differing(found, told)


COMPARED: Final[dict[str, Callable[[Row, Any, list[Row]], list[str]]]] = {
    EVENTS: lambda row, told, _: events.differing(row, told),
    ACTS: lambda row, told, _: joint_acts.differing(row, told),
    PROPOSALS: _of_proposal,
    TOKENS: _of_token,
}
"""How a row of each table is compared with what is told."""


def _is_cleaned(found: Difference, ledger: Ledger, cleaned: str) -> bool:
    """Whether a resolved event is gone because it was old, as the runbook cleans up.

    One of which the log does not tell when it tripped may have been.
    """
    told = ledger.events.get(found.id)
    if found.fields != GONE or told is None or not told.resolved:
        return False
    return told.timestamp is None or told.timestamp < cleaned
