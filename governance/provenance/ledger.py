"""The ledger: what the audit log tells of every record that people decide on, read once. Pure.

    seq 1 … 4711, folded ──► events that wait, acts and proposals that wait, tokens
    seq 4712 …           ──► the same, a little later

What is decided is forgotten, so that the ledger grows with what waits and not with the log;
``keeps`` keeps everything, for whoever holds the whole database against the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from governance.audit import BEGINNING, Act, AuditRow, Checkpoint
from governance.joint_acts import JointAct, JointStatus
from governance.proposals import ProposalStatus
from governance.provenance import events, joint_acts, proposals, standing, tokens
from governance.provenance.events import ToldEvent
from governance.provenance.proposals import ToldProposal
from governance.provenance.reading import after_of
from governance.provenance.standing import Standing
from governance.provenance.tokens import ToldToken

Told = TypeVar("Told")

BEGINS: Final[dict[str, str]] = {
    Act.TRIP_APPLIED.value: "circuit_breaker_events",
    Act.ESCALATION_RAISED.value: "circuit_breaker_events",
    Act.JOINT_ACT_ASKED.value: "joint_acts",
    Act.PROPOSAL_OPENED.value: "scope_expansion_proposals",
    Act.TOKEN_CREATED.value: "api_tokens",
}
"""The acts that tell a record for the first time, and its table."""

MOVES: Final[dict[str, str]] = {
    **dict.fromkeys(
        map(str, (Act.EVENT_ACKNOWLEDGED, Act.EVENT_RESOLVED, Act.EVENT_REOPENED)),
        "circuit_breaker_events",
    ),
    **dict.fromkeys((Act.JOINT_ACT_SIGNED.value, *joint_acts.ENDS), "joint_acts"),
    **dict.fromkeys(
        (Act.PROPOSAL_APPROVED.value, Act.APPROVALS_VOIDED.value, *proposals.ENDS),
        "scope_expansion_proposals",
    ),
    **dict.fromkeys(map(str, (Act.TOKEN_REVOKED, Act.TOKEN_NOTED)), "api_tokens"),
}
"""The acts that tell what became of a record, and its table."""

TELLING: Final = frozenset(
    {*BEGINS, *MOVES, *standing.READ, str(Act.RECORD_RESTORED), str(Act.DATABASE_PRUNED)}
)
"""All acts that tell anything of such records."""


@dataclass(slots=True)
class Ledger:
    """What rows up to ``head`` told, by the id of each record."""

    keeps: bool = False
    head: Checkpoint = BEGINNING
    events: dict[str, ToldEvent] = field(default_factory=dict)
    joint_acts: dict[str, JointAct] = field(default_factory=dict)
    proposals: dict[str, ToldProposal] = field(default_factory=dict)
    tokens: dict[str, ToldToken] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    pruned_before: str = ""

    def read_on(self, rows: Iterable[AuditRow], head: Checkpoint) -> Ledger:
        """Return the ledger after *rows*, which end at *head*; this one stays as it is."""
        after = replace(
            self,
            keeps=True,
            events=dict(self.events),
            joint_acts=dict(self.joint_acts),
            proposals=dict(self.proposals),
            tokens=dict(self.tokens),
            standing=self.standing.copied(),
        )
        for row in rows:
            after.read(row)
        after.head = head
        return after if self.keeps else after._of_what_waits()

    def read(self, row: AuditRow) -> None:
        """Take in one row; what nobody can read tells nothing, and what it was about is untold."""
        with suppress(ValueError, KeyError, TypeError):
            self._read(row)

    def _read(self, row: AuditRow) -> None:
        """Take in one row.

        Raises:
            ValueError, KeyError, TypeError: it is not as we write them.
        """
        if row.act == Act.DATABASE_PRUNED:
            self._prune(row)
            return
        if row.act in standing.READ:
            self.standing.read(row)
            self._restore(row)
            return
        known, begin, move = self._kinds()[_table(row)]
        if row.act in BEGINS:
            known[row.subject] = begin(row)
        elif row.act == Act.RECORD_RESTORED and after_of(row).get("removed"):
            known.pop(row.subject, None)
        elif row.subject in known:
            known[row.subject] = move(known[row.subject], row)
        elif row.act == Act.EVENT_REOPENED:
            self.events[row.subject] = events.reopened(row)

    def _restore(self, row: AuditRow) -> None:
        """Take in which tokens a restore knew to be revoked."""
        if (row.act, row.subject) != (Act.DATABASE_RESTORED, "database"):
            return
        for name in [one for known in after_of(row)["known"] for one in known["revokedTokens"]]:
            if name in self.tokens:
                self.tokens[name] = tokens.restored(self.tokens[name])

    def _prune(self, row: AuditRow) -> None:
        """Take in before which moment events were archived and forgotten."""
        if row.subject == "circuit_breaker_events":
            self.pruned_before = max(self.pruned_before, after_of(row)["before"])

    def _kinds(self) -> dict[str, tuple[dict[str, Any], Callable[..., Any], Callable[..., Any]]]:
        """Return, for each table, what is known, and what begins and moves a record."""
        return {
            "circuit_breaker_events": (self.events, events.opened, events.moved),
            "joint_acts": (self.joint_acts, joint_acts.asked, joint_acts.moved),
            "scope_expansion_proposals": (self.proposals, proposals.opened, proposals.moved),
            "api_tokens": (self.tokens, tokens.made, tokens.moved),
        }

    def _of_what_waits(self) -> Ledger:
        """Return it without what is decided."""
        waiting, pending = JointStatus.WAITING, ProposalStatus.PENDING
        return replace(
            self,
            keeps=False,
            events=_some(self.events, lambda one: not one.resolved),
            joint_acts=_some(self.joint_acts, lambda one: one.status is waiting),
            proposals=_some(self.proposals, lambda one: one.status is pending),
        )


def _table(row: AuditRow) -> str:
    """Return the table of the record that *row* is about."""
    if row.act == Act.RECORD_RESTORED:
        return str(after_of(row)["table"])
    return BEGINS.get(row.act) or MOVES[row.act]


def _some(known: dict[str, Told], waits: Callable[[Told], bool]) -> dict[str, Told]:
    """Return those of *known* that still wait."""
    return {name: one for name, one in known.items() if waits(one)}
