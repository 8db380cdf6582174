"""Joint acts: what one person may not do alone, kept until enough people have signed. Pure.

    asked ──► waiting ──► signed by all it takes ──► carried
                 ├──► withdrawn, by people
                 ├──► voided: what it was decided on is no longer so
                 └──► expired, after three days

Two rules say whose signatures it takes. Where ``needed_roles`` is empty, it takes two people, the
second of whom could do it alone if one sufficed. Otherwise it takes one person for each role.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import Field

from governance.audit import canonical
from governance.people import is_same_person, told_as
from schemas.errors import (
    ActClosed,
    ActExpired,
    OnePersonOneRole,
    OwnAct,
    RoleNotRequired,
    RoleTaken,
    TooManyActs,
)
from schemas.wire import Moment, Wire

LIFETIME: Final = timedelta(hours=72)
"""How long an act waits: over a weekend, and no longer than anybody remembers why."""

MOST_WAITING: Final = 100
"""Acts that wait of what one person asked for; each is read, and told to every subscriber."""


class JointStatus(StrEnum):
    """Where a joint act stands; all but waiting are final."""

    WAITING = "waiting"
    CARRIED = "carried"
    WITHDRAWN = "withdrawn"
    VOIDED = "voided"
    EXPIRED = "expired"


class Signature(Wire):
    """One person's yes; ``role`` where the act takes one of each role."""

    person: str
    role: str | None = None
    assurance: str
    signed_at: Moment


class JointAct(Wire):
    """An act that takes more than one person, and who has signed it.

    ``content`` is what will be done, to the letter; ``digest`` names it.
    """

    id: str
    act: str = Field(description="What will be done, such as `resume_command_type`.")
    subject: str = Field(description="To what: a command type, a rule, an event, an item.")
    summary: str
    reasons: list[str] = Field(description="Why it takes more than one person.")
    content: dict[str, Any]
    digest: str
    needed_roles: list[str] = Field(
        description="One person for each; empty if it takes any second person who may do it."
    )
    status: JointStatus = JointStatus.WAITING
    signatures: list[Signature]
    asked_at: Moment
    expires_at: Moment
    decided_at: Moment | None = None
    decided_by: str | None = None
    reason: str | None = None

    @property
    def people(self) -> str:
        """Return who signed, in their order, for the audit log."""
        return ", ".join(one.person for one in self.signatures)

    @property
    def asked_by(self) -> str:
        """Return who asked for it."""
        return self.signatures[0].person

    @property
    def missing_roles(self) -> list[str]:
        """Return the roles in which nobody has signed."""
        given = {one.role for one in self.signatures}
        return [role for role in self.needed_roles if role not in given]

    @property
    def is_complete(self) -> bool:
        """Whether nobody's signature is missing."""
        if self.needed_roles:
            return not self.missing_roles
        return len(self.signatures) > 1

    def is_signed_by(self, signer: Signer) -> bool:
        """Whether this very signature stands already."""
        return any(
            (one.person, one.role) == (signer.person, signer.role) for one in self.signatures
        )

    def ended(
        self, status: JointStatus, now: datetime, *, by: str, reason: str | None = None
    ) -> JointAct:
        """Return it decided."""
        return self.model_copy(
            update={"status": status, "decided_at": now, "decided_by": by, "reason": reason}
        )


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: ``may_carry`` says that they could do it alone if one person sufficed."""

    person: str
    assurance: str
    may_carry: bool
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """What will be done, as people and the audit log read it."""

    act: str
    subject: str
    summary: str
    reasons: tuple[str, ...]
    content: dict[str, Any]
    needed_roles: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return what names the act and its content."""
        text = canonical({"act": self.act, "subject": self.subject, "content": self.content}) or ""
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def asked(wording: Wording, signer: Signer, *, head: str, now: datetime) -> JointAct:
    """Return a new act of *wording*, signed by who asks for it.

    *head*, the hash of the last audit row, makes its id unlike that of any before.

    Raises:
        RoleNotRequired: it takes people in other roles.
    """
    digest = wording.digest
    name = hashlib.sha256(f"{digest} {head}".encode()).hexdigest()
    act = JointAct(
        id=f"act-{name[:16]}",
        act=wording.act,
        subject=wording.subject,
        summary=wording.summary,
        reasons=list(wording.reasons),
        content=wording.content,
        digest=digest,
        needed_roles=list(wording.needed_roles),
        signatures=[],
        asked_at=now,
        expires_at=now + LIFETIME,
    )
    if act.needed_roles:
        _check_role(act, signer)
    return _with(act, signer, now)


def check_waiting(act: JointAct, now: datetime) -> None:
    """Check that *act* can still be decided on at *now*.

    Raises:
        ActClosed: it was carried out, withdrawn or voided.
        ActExpired: its time is over.
    """
    if act.status is JointStatus.EXPIRED or (
        act.status is JointStatus.WAITING and now >= act.expires_at
    ):
        raise ActExpired(f"{act.id} expired at {act.expires_at:%Y-%m-%d %H:%M} UTC")
    if act.status is not JointStatus.WAITING:
        why = f": {act.reason}" if act.reason else ""
        raise ActClosed(f"{act.id} is {act.status}{why}")


def check_asks(waiting: Sequence[JointAct], signer: Signer, now: datetime) -> None:
    """Check that *signer* may ask for one thing more, beside what is *waiting*.

    Raises:
        TooManyActs: so much waits already of what they asked for.
    """
    theirs = [
        one
        for one in waiting
        if now < one.expires_at and is_same_person(one.asked_by, signer.person)
    ]
    if len(theirs) >= MOST_WAITING:
        raise TooManyActs(f"{len(theirs)} acts wait that {signer.person} asked for")


def signed(act: JointAct, signer: Signer, now: datetime) -> JointAct:
    """Return *act* with the signature of *signer* too.

    Raises:
        ActClosed: it no longer waits.
        ActExpired: its time is over.
        OwnAct: they asked for it, and it takes somebody else.
        RoleNotRequired: it takes people in other roles.
        OnePersonOneRole: they signed in another role.
        RoleTaken: somebody else signed in that role.
    """
    check_waiting(act, now)
    for one in act.signatures:
        if is_same_person(one.person, signer.person):
            if act.needed_roles:
                raise OnePersonOneRole(f"{told_as(one.person, signer.person)} has signed {act.id}")
            raise OwnAct(f"{told_as(one.person, signer.person)} asked for {act.id}")
    if act.needed_roles:
        _check_role(act, signer)
    return _with(act, signer, now)


def _check_role(act: JointAct, signer: Signer) -> None:
    """Check that the act still takes somebody in the role of *signer*.

    Raises:
        RoleNotRequired: it never did.
        RoleTaken: somebody else signed in it.
    """
    if signer.role not in act.needed_roles:
        asked_for = ", ".join(act.needed_roles)
        raise RoleNotRequired(f"{signer.role} is not among {asked_for}")
    if signer.role not in act.missing_roles:
        raise RoleTaken(f"somebody signed {act.id} as {signer.role}")


def _with(act: JointAct, signer: Signer, now: datetime) -> JointAct:
    """Return *act* with one signature more."""
    given = Signature(
        person=signer.person, role=signer.role, assurance=signer.assurance, signed_at=now
    )
    return act.model_copy(update={"signatures": [*act.signatures, given]})
