"""Signing: what takes two people is asked for by one, and answered 202 until another signs.

In open mode nobody is known, and in a small team one person may be enough: there a wish is
carried out at once, by whoever may do it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import Depends
from pydantic import Field
from starlette.responses import JSONResponse

from api.asking import AskDesk, approver_of
from api.auth.gate import AskCaller
from api.auth.matrix import MATRIX, check_may
from api.ladder_shapes import InRole
from governance import handlers
from governance.approvals import check_holds
from governance.callers import Caller
from governance.desk import Desk
from governance.handlers.wishes import LoosenRule, Wishes, read_wish, tighten_rule
from governance.joint_acts import JointAct, Signer
from schemas.rules import RulePatch
from schemas.wire import Wire

PATH: Final = "/api/governance/joint-acts"

Outcome = TypeVar("Outcome")


class Waiting(Wire):
    """Nothing was done yet: it takes more people, and waits for them (status 202)."""

    success: Literal[False] = Field(default=False, description="It is not done yet.")
    waiting: Literal[True] = True
    joint_act: JointAct


class Countersigned(Wire):
    """What came of a signature: the act, and whether it was carried out by this."""

    success: Literal[True] = True
    carried: bool
    joint_act: JointAct
    outcome: Any = Field(default=None, description="What the act answered, once carried out.")


@dataclass(frozen=True, slots=True)
class Signing:
    """Does for one caller what they wish, or writes down that they wish it."""

    desk: Desk
    caller: Caller

    def do(self, wish: Wishes) -> Any:
        """Return what came of *wish*, or the `JointAct` that waits for other people.

        Raises:
            NotPermitted: the caller may neither do it nor ask for it.
            GovernanceError: whatever the wish is refused with.
        """
        takes_two = self.desk.settings.takes_two
        check_may(self.caller, wish.GRANT, asking=takes_two)
        if not takes_two or wish.is_idle:
            return wish.carry(self.desk, by=self.caller.actor)
        signed = handlers.sign_wish(self.desk, wish, self._signer(wish))
        return signed.act if signed.outcome is None else signed.outcome

    def patch_rule(self, name: str, patch: RulePatch, seen: int | None) -> Any:
        """Return the changed rule, or the `JointAct` that waits since *patch* may loosen it.

        Raises:
            NotPermitted: the caller may neither loosen it nor ask for that.
            GovernanceError: whatever the change is refused with.
        """
        if self.desk.settings.auth == "open":
            return handlers.patch_rule(
                self.desk, name, patch, by=self.caller.actor, expected_version=seen
            )
        done = tighten_rule(self.desk, name, patch, by=self.caller.actor, expected_version=seen)
        return self.do(done) if isinstance(done, LoosenRule) else done

    def countersign(self, act_id: str, wanted: InRole) -> Countersigned:
        """Sign what somebody asked for, in the role that is *wanted* if it takes roles.

        Raises:
            NotFound: there is no such act.
            NotPermitted: the caller could not do it alone either.
            BadRequest: it takes roles, and none is named.
            RoleNotHeld: a role is named that is not theirs.
            GovernanceError: whatever the act is refused with.
        """
        handlers.settle_records(self.desk, act_id)
        act = handlers.show_joint_act(self.desk, act_id)
        wish = read_wish(act)
        check_may(self.caller, wish.GRANT)
        in_role = act.needed_roles
        signer = self._signer(wish)
        if in_role or wanted.approved_by is not None:
            named = in_role_of(self.caller, wanted)
            signer = named if in_role else signer
        signed = handlers.countersign(self.desk, act_id, wish, signer)
        outcome = signed.outcome
        return Countersigned(
            carried=signed.act.is_complete,
            joint_act=signed.act,
            outcome=outcome.to_wire() if isinstance(outcome, Wire) else None,
        )

    def _signer(self, wish: Wishes) -> Signer:
        """Return the caller as one who signs."""
        may_carry = MATRIX.acts[wish.GRANT].includes(self.caller)
        return Signer(self.caller.actor, self.caller.assurance, may_carry)


async def signing_of(desk: AskDesk, caller: AskCaller) -> Signing:
    """Return what carries out the wishes of whoever asks."""
    return Signing(desk, caller)


AskSigning = Annotated[Signing, Depends(signing_of)]


def in_role_of(caller: Caller, wanted: InRole) -> Signer:
    """Return *caller* as one who signs in the role that is *wanted*.

    Raises:
        BadRequest: no role is named.
        ServiceMayNotApprove: it is a program.
        RoleNotHeld: the role is not theirs.
    """
    approver = approver_of(caller, wanted.role)
    check_holds(approver)
    return Signer(approver.principal, approver.assurance, may_carry=True, role=approver.role)


def waiting(act: JointAct) -> JSONResponse:
    """Return the answer that *act* waits for other people."""
    return JSONResponse(
        Waiting(joint_act=act).to_wire(),
        status_code=202,
        headers={"Location": f"{PATH}/{act.id}"},
    )


MAY_WAIT: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": Waiting, "description": "It takes another person, who has not signed yet."}
}
"""What a route declares whose wish may have to wait."""
