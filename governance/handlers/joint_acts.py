"""Joint acts: asked for by one person, carried out once enough others have signed.

What is asked for is rehearsed first, in a transaction that is undone: nobody waits for a second
person only to hear that it was never possible. The last signature and what it carries are one
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from governance import joint_alerts
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.changes import publish_alert
from governance.handlers.closing import close_act
from governance.handlers.lowering import SYSTEM
from governance.handlers.records import check_records
from governance.handlers.sql_changes import adopt_sql_changes
from governance.joint_acts import (
    JointAct,
    JointStatus,
    Signer,
    Wording,
    asked,
    check_asks,
    check_waiting,
    signed,
)
from governance.store import Unit
from schemas.errors import ActClosed, NotFound, Outdated, StaleEpoch

Outcome = TypeVar("Outcome")
OutcomeCo = TypeVar("OutcomeCo", covariant=True)

GONE = (NotFound, Outdated, StaleEpoch, ActClosed)
"""What an act meets when that on which it was decided is no longer so, and never again will be."""


class Wish(Protocol[OutcomeCo]):
    """Something to do that may take more than one person: in words, and in deed."""

    def wording(self) -> Wording:
        """Return what will be done, to the letter."""

    def check_open(self, desk: Desk) -> None:
        """Check that nobody has done it already."""

    def carry(self, desk: Desk, *, by: str) -> OutcomeCo:
        """Do it; raises what the handler raises."""


@dataclass(frozen=True, slots=True)
class Signed(Generic[Outcome]):
    """What came of a signature: the act, and the outcome if it was the last one missing."""

    act: JointAct
    outcome: Outcome | None


class _Undone(Exception):
    """Raised to undo a transaction."""


def list_joint_acts(desk: Desk) -> list[JointAct]:
    """Return every act that waits for people, newest first."""
    now = desk.clock()
    with desk.store.reading() as unit:
        return [act for act in unit.joint_acts.waiting() if now < act.expires_at]


def list_past_joint_acts(desk: Desk, *, limit: int) -> list[JointAct]:
    """Return the newest *limit* acts, whatever became of them, newest first."""
    with desk.store.reading() as unit:
        return unit.joint_acts.newest(limit)


def show_joint_act(desk: Desk, act_id: str) -> JointAct:
    """Return one act.

    Raises:
        NotFound: there is none; carries near matches.
    """
    with desk.store.reading() as unit:
        return unit.joint_acts.require(act_id)


def sign_wish(desk: Desk, wish: Wish[Outcome], signer: Signer) -> Signed[Outcome]:
    """Ask for *wish*, or sign it if somebody asked for the very same; carry it when complete.

    Asking again changes nothing, and neither does asking for what somebody else asked for
    without the right to carry it.

    Raises:
        ActClosed: somebody has done it meanwhile.
        TooManyActs: so much waits of what *signer* asked for.
        GovernanceError: whatever *wish* would be refused with now, or `signed` raises.
    """
    adopt_sql_changes(desk)
    rehearse(desk, wish)
    now = desk.clock()
    wording = wish.wording()
    with desk.store.writing() as unit:
        check_records(desk, unit)
        act = _same(unit, wording, now)
        if act is None:
            wish.check_open(desk)
            return _settle(desk, unit, _ask(unit, wording, signer, now), wish, signer, now)
        if act.is_signed_by(signer) or not signer.may_carry:
            return Signed(act, None)
        return _sign(desk, unit, act, wish, signer, now)


def countersign(desk: Desk, act_id: str, wish: Wish[Any], signer: Signer) -> Signed[Any]:
    """Sign the act that *wish* was read from; carry it when nobody's signature is missing.

    An act on what is no longer so is voided by this, and says why. So is one that is not what
    its audit rows tell, before anything is read of it.

    Raises:
        NotFound: there is no such act; carries near matches.
        ActClosed: what it is about is no longer there.
        GovernanceError: whatever *wish* is refused with, or `signed` raises.
    """
    adopt_sql_changes(desk, act_id)
    now = desk.clock()
    act = show_joint_act(desk, act_id)
    try:
        with desk.store.writing() as unit:
            check_records(desk, unit, act_id)
            act = unit.joint_acts.require(act.id)
            _check_is_of(wish, act)
            return _sign(desk, unit, act, wish, signer, now)
    except GONE as error:
        _void(desk, act_id, str(error))
        if isinstance(error, NotFound):
            raise ActClosed(f"{act_id} is void: {error}") from error
        raise


def _check_is_of(wish: Wish[Any], act: JointAct) -> None:
    """Check that *wish*, which was read before this transaction, is what *act* asks for now.

    Raises:
        Outdated: it is not, or another version of this product words it otherwise.
    """
    if wish.wording().digest != act.digest:
        raise Outdated(f"{act.id} asks for something else now", allowed_when="ask again")


def withdraw_joint_act(desk: Desk, act_id: str, *, by: str, reason: str | None) -> JointAct:
    """Take an act back before it is carried; withdrawing it again changes nothing.

    Raises:
        NotFound: there is none; carries near matches.
        ActClosed: it was decided on otherwise.
        ActExpired: its time is over.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        act = unit.joint_acts.require(act_id)
        if act.status is JointStatus.WITHDRAWN:
            return act
        check_waiting(act, now)
        gone = act.ended(JointStatus.WITHDRAWN, now, by=by, reason=reason)
        return close_act(unit, gone, act=Act.JOINT_ACT_WITHDRAWN, now=now)


def tend_joint_acts(desk: Desk) -> None:
    """Expire what nobody signed in time. Writes only if something is to be written.

    Raises:
        Unavailable: the database is busy or away; the next turn does it.
    """
    now = desk.clock()
    with desk.store.reading() as unit:
        if not any(now >= act.expires_at for act in unit.joint_acts.waiting()):
            return
    with desk.store.writing() as unit:
        for act in unit.joint_acts.waiting():
            if now >= act.expires_at:
                _expire(unit, act, now)


def rehearse(desk: Desk, wish: Wish[Any]) -> None:
    """Carry *wish* out in a transaction that is undone: it raises what it would be refused with."""
    try:
        with desk.store.writing():
            wish.carry(desk, by="nobody")
            raise _Undone
    except _Undone:
        return


def _same(unit: Unit, wording: Wording, now: datetime) -> JointAct | None:
    """Return the act of the same wording that waits, or None."""
    digest = wording.digest
    return next(
        (one for one in unit.joint_acts.waiting() if one.digest == digest and now < one.expires_at),
        None,
    )


def _ask(unit: Unit, wording: Wording, signer: Signer, now: datetime) -> JointAct:
    """Write a new act with its audit row, and tell people.

    Raises:
        TooManyActs: so much waits of what *signer* asked for.
    """
    check_asks(unit.joint_acts.waiting(), signer, now)
    act = asked(wording, signer, head=unit.audit.head().hash, now=now)
    unit.joint_acts.add(act)
    unit.audit.append(Act.JOINT_ACT_ASKED, act.id, actor=signer.person, at=now, after=act.to_wire())
    epoch = unit.autonomy.load().epoch
    if not act.is_complete:
        publish_alert(unit, joint_alerts.waiting(act, epoch=epoch), now)
    return act


def _sign(
    desk: Desk, unit: Unit, act: JointAct, wish: Wish[Outcome], signer: Signer, now: datetime
) -> Signed[Outcome]:
    """Write a signature with its audit row, and carry the act if it was the last one."""
    after = signed(act, signer, now)
    unit.joint_acts.save(after)
    unit.audit.append(
        Act.JOINT_ACT_SIGNED,
        act.id,
        actor=signer.person,
        at=now,
        after=after.signatures[-1].to_wire(),
    )
    return _settle(desk, unit, after, wish, signer, now)


def _settle(
    desk: Desk, unit: Unit, act: JointAct, wish: Wish[Outcome], signer: Signer, now: datetime
) -> Signed[Outcome]:
    """Carry *act* if nobody's signature is missing, and void what asked for the same otherwise."""
    if not act.is_complete:
        return Signed(act, None)
    wish.check_open(desk)
    outcome = wish.carry(desk, by=act.people)
    carried = act.ended(JointStatus.CARRIED, now, by=signer.person)
    close_act(unit, carried, act=Act.JOINT_ACT_CARRIED, now=now)
    for other in unit.joint_acts.waiting():
        if (other.act, other.subject) == (act.act, act.subject):
            reason = f"{act.id} was carried out instead"
            gone = other.ended(JointStatus.VOIDED, now, by=SYSTEM, reason=reason)
            close_act(unit, gone, act=Act.JOINT_ACT_VOIDED, now=now)
    return Signed(carried, outcome)


def _void(desk: Desk, act_id: str, reason: str) -> None:
    """End an act on what is no longer so, if it still waits."""
    now = desk.clock()
    with desk.store.writing() as unit:
        for act in unit.joint_acts.waiting():
            if act.id == act_id and now < act.expires_at:
                gone = act.ended(JointStatus.VOIDED, now, by=SYSTEM, reason=reason)
                close_act(unit, gone, act=Act.JOINT_ACT_VOIDED, now=now)


def _expire(unit: Unit, act: JointAct, now: datetime) -> None:
    """End an act that nobody signed in time."""
    reason = "nobody countersigned it in time"
    gone = act.ended(JointStatus.EXPIRED, now, by=SYSTEM, reason=reason)
    close_act(unit, gone, act=Act.JOINT_ACT_EXPIRED, now=now)
