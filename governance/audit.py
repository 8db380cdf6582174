"""The audit log: who changed what, when, in a chain that shows any edit.

    ┌ seq 1 ─────────────┐   ┌ seq 2 ─────────────┐
    │ at actor act ...   │   │ at actor act ...   │
    │ prev 00…00  hash ──┼──►│ prev      hash ────┼──► head
    └────────────────────┘   └────────────────────┘

Each hash covers its row and the hash before it, so an edited, deleted, inserted or moved row
breaks the chain. Cutting off the tail leaves a shorter, whole chain: only a `Checkpoint` kept
elsewhere shows that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from schemas.wire import Wire

GENESIS: Final = "0" * 64
"""What the first row names as the hash before it."""


class Act(StrEnum):
    """Everything that leaves an audit row."""

    STATE_CREATED = "state.created"
    TRIP_APPLIED = "trip.applied"
    ESCALATION_RAISED = "escalation.raised"
    PHASE_REVERTED = "phase.reverted"
    PHASE_ROLLED_BACK = "phase.rolled_back"
    PHASE_PROMOTED = "phase.promoted"
    PHASE_DEMOTED = "phase.demoted"
    KILL_SWITCH_PULLED = "kill_switch.pulled"
    PROPOSAL_OPENED = "proposal.opened"
    PROPOSAL_APPROVED = "proposal.approved"
    PROPOSAL_CARRIED = "proposal.carried"
    PROPOSAL_REJECTED = "proposal.rejected"
    PROPOSAL_EXPIRED = "proposal.expired"
    PROPOSAL_VOIDED = "proposal.voided"
    APPROVALS_VOIDED = "proposal.approvals_voided"
    VALIDATION_STARTED = "validation.started"
    VALIDATION_EXTENDED = "validation.extended"
    VALIDATION_UNDECIDED = "validation.undecided"
    VALIDATION_ENDED = "validation.ended"
    COOLDOWN_STARTED = "cooldown.started"
    COOLDOWN_LIFTED = "cooldown.lifted"
    JOINT_ACT_ASKED = "joint_act.asked"
    JOINT_ACT_SIGNED = "joint_act.signed"
    JOINT_ACT_CARRIED = "joint_act.carried"
    JOINT_ACT_WITHDRAWN = "joint_act.withdrawn"
    JOINT_ACT_VOIDED = "joint_act.voided"
    JOINT_ACT_EXPIRED = "joint_act.expired"
    TYPE_PAUSED = "command_type.paused"
    TYPE_RESUMED = "command_type.resumed"
    EVENT_RESOLVED = "event.resolved"
    EVENT_ACKNOWLEDGED = "event.acknowledged"
    EVENT_REOPENED = "event.reopened"
    CYCLE_RUN = "cycle.run"
    RULE_ADDED = "rule.added"
    RULE_CHANGED = "rule.changed"
    RULE_DELETED = "rule.deleted"
    RULE_INVALID = "rule.invalid"
    PROTECTION_CHANGED = "protection.changed"
    STATE_ADOPTED = "state.adopted"
    STATE_RESTORED = "state.restored"
    CHECKLIST_CREATED = "checklist.created"
    CHECKLIST_CHANGED = "checklist.changed"
    READINESS_ATTESTED = "readiness.attested"
    TOKEN_CREATED = "token.created"  # noqa: S105 - an act, no secret
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - an act, no secret
    TOKEN_NOTED = "token.noted"  # noqa: S105 - an act, no secret
    RECORD_RESTORED = "record.restored"
    DATABASE_PRUNED = "database.pruned"
    DATABASE_RESTORED = "database.restored"
    DATABASE_RECONCILED = "database.reconciled"
    TOPICS_REPAIRED = "topics.repaired"


STATE_FACTS: Final = frozenset(
    ("phase", "phaseStartDate", "commandWhitelist", "pausedCommandTypes", "autonomyEpoch")
)
"""What a row says of autonomy if it says anything: the keys of `Autonomy.facts`."""

PAUSE_FACTS: Final = frozenset(("allPaused", "resumedCommandTypes"))
"""What it says besides while everything is paused."""


def state_told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what *facts* say of autonomy alone, None for what they say only while it holds."""
    return {name: facts.get(name) for name in STATE_FACTS | PAUSE_FACTS}


class AuditRow(NamedTuple):
    """One act, as stored: the two snapshots are canonical JSON or None."""

    seq: int
    at: str
    actor: str
    act: str
    subject: str
    before: str | None
    after: str | None
    prev_hash: str
    hash: str


class AuditEntry(Wire):
    """One act as the API shows it."""

    seq: int
    at: datetime
    actor: str
    act: str
    subject: str
    before: Any = None
    after: Any = None
    hash: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of the chain at some moment, kept where the database's owner cannot reach."""

    seq: int
    hash: str

    def __str__(self) -> str:
        """Return how people keep it: ``SEQ:HASH``."""
        return f"{self.seq}:{self.hash}"


def read_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that *text* is: ``SEQ:HASH``, or JSON with ``seq`` and ``hash``.

    The manifest of a backup holds one under ``audit``.

    Raises:
        ValueError: it is neither.

    >>> read_checkpoint("7:" + "ab" * 32).seq
    7
    """
    try:
        found = json.loads(text)
    except ValueError:
        seq, _, digest = text.strip().partition(":")
    else:
        found = found.get("audit", found) if isinstance(found, dict) else {}
        seq, digest = str(found.get("seq", "")), str(found.get("hash", ""))
    if not re.fullmatch(r"[0-9]{1,18}", seq) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError("a checkpoint is SEQ:HASH, as `governance audit head` prints it")
    return Checkpoint(int(seq), digest)


BEGINNING: Final = Checkpoint(0, GENESIS)
"""Before the first row."""


class ChainReport(Wire):
    """What verifying found: ``broken_at`` is the ``seq`` of the first row that does not fit.

    ``differences`` says, one sentence each, what of the tables is not as a whole chain tells it.
    """

    intact: bool
    rows: int
    head_seq: int
    head_hash: str
    broken_at: int | None = None
    problem: str | None = None
    differences: list[str] = []


_spell: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""Writes JSON; made once, since long chains are verified."""


def canonical(facts: Mapping[str, Any] | None) -> str | None:
    """Return *facts* as JSON with one spelling, or None for None."""
    if facts is None:
        return None
    return json.dumps(
        facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def chained(previous: str, row: tuple[int, str, str, str, str, str | None, str | None]) -> str:
    """Return the hash of *row* (all but its two hashes) after the hash *previous*."""
    text = _spell([*row, previous])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def verify_chain(
    rows: Iterable[tuple[Any, ...]],
    *checkpoints: Checkpoint | None,
    start: Checkpoint = BEGINNING,
) -> ChainReport:
    """Return whether *rows* (fields of `AuditRow`, by ``seq``) are the chain as written.

    With *checkpoints*, also whether the rows that they name are still there and the same, which
    shows a tail that was cut off or written anew. Rows are read once and never kept; those
    before *start* were verified earlier.
    """
    kept = _by_number(checkpoints)
    seq, head = start.seq, start.hash
    for row in rows:
        seq += 1
        problem = _misfit(row, seq, head)
        if problem is None and kept.pop(seq, row[8]) != row[8]:
            problem = "the row is not the one that the checkpoint names"
        if problem is not None:
            return _broken(Checkpoint(seq - 1, head), problem)
        head = row[8]
    end = Checkpoint(seq, head)
    if any(number > start.seq for number in kept):
        return _broken(end, "rows are missing at the end: the checkpoint is beyond it")
    return ChainReport(intact=True, rows=seq, head_seq=seq, head_hash=head)


def _by_number(checkpoints: Iterable[Checkpoint | None]) -> dict[int, str]:
    """Return the hash that each row must have; two that disagree fit no row."""
    kept: dict[int, str] = {}
    for one in checkpoints:
        if one is not None and one.seq > 0:
            agrees = kept.get(one.seq, one.hash) == one.hash
            kept[one.seq] = one.hash if agrees else "two checkpoints disagree"
    return kept


def _broken(head: Checkpoint, problem: str) -> ChainReport:
    """Return that the row behind *head*, the last good one, does not fit."""
    return ChainReport(
        intact=False,
        rows=head.seq,
        head_seq=head.seq,
        head_hash=head.hash,
        broken_at=head.seq + 1,
        problem=problem,
    )


def states_in(rows: Iterable[tuple[Any, ...]], seen: list[dict[str, Any]]) -> Iterator[Any]:
    """Pass *rows* on, leaving in *seen* the last state of autonomy that one of them wrote."""
    for row in rows:
        if row[6] and '"autonomyEpoch":' in row[6]:
            after = _facts(row[6])
            if after.keys() >= STATE_FACTS:
                seen[:] = [after]
        yield row


def _facts(text: str) -> dict[str, Any]:
    """Return the snapshot that *text* is, or nothing if somebody made it unreadable."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _misfit(row: tuple[Any, ...], seq: int, head: str) -> str | None:
    """Return why *row* cannot be number *seq* after *head*, or None when it fits."""
    if row[0] != seq:
        return f"row {seq} is missing"
    if row[7] != head:
        return "the row does not follow the one before it"
    if chained(head, row[:7]) != row[8]:
        return "the row was changed after it was written"
    return None
