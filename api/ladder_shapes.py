"""Shapes of the ladder over HTTP: approvals, rejections, rollbacks, the kill switch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from api.shapes import Prose, Reason, RollbackRequest, StateChanged, Strict
from governance.approvals import Seen
from governance.cooldown import Cooldown
from governance.handlers import RollbackPreview
from governance.joint_acts import JointAct
from governance.ladder import ApproverRole
from governance.validation import Validation
from schemas.errors import BadRequest
from schemas.governance import Phase
from schemas.wire import Moment, Wire


class InRole(Strict):
    """In which role somebody says yes."""

    approved_by: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="tech-lead, ops-lead, product-lead or exec-sponsor; required."
    )

    @property
    def role(self) -> ApproverRole:
        """Return the role.

        Raises:
            BadRequest: none is named, or one that approves nothing.
        """
        return role_of(self.approved_by)


def role_of(said: object) -> ApproverRole:
    """Return the role that *said* names; people also write it as they speak it.

    Raises:
        BadRequest: it names none, or one that approves nothing.
    """
    spelled = (
        said.strip().lower().replace(" ", "-").replace("_", "-") if isinstance(said, str) else ""
    )
    try:
        return ApproverRole(spelled)
    except ValueError:
        known = ", ".join(ApproverRole)
        raise BadRequest(
            f"name the role in which you approve: {known}", field="approvedBy"
        ) from None


class InNamedRole(InRole):
    """A yes that names its role, which is asked for before anything else of it is looked at."""

    @model_validator(mode="before")
    @classmethod
    def _in_a_role(cls, sent: Any) -> Any:
        """Refuse what names no role, whatever else is wrong with it."""
        role_of(sent.get("approvedBy", sent.get("approved_by")) if isinstance(sent, dict) else None)
        return sent


class ApproveRequest(InNamedRole):
    """In which role somebody approves, and on what they decided, as far as they say.

    ``digest``, ``version`` and ``autonomyEpoch`` are those of the proposal and the state that
    they saw; what is given must still be so.
    """

    digest: Annotated[str, Field(max_length=64)] | None = None
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    autonomy_epoch: Annotated[int, Field(ge=0, lt=2**63)] | None = None

    @property
    def seen(self) -> Seen:
        """Return what the approver decided on."""
        return Seen(digest=self.digest, epoch=self.autonomy_epoch, version=self.version)


class RejectRequest(Strict):
    """Why a proposal is rejected; may be left out."""

    reason: Prose | None = None


class Rejected(Wire):
    """A proposal was rejected, by this request or an earlier one."""

    success: Literal[True] = True
    id: str
    reason: str | None


class LowerRequest(RollbackRequest):
    """To where and why autonomy is lowered; ``dryRun`` only shows what would change."""

    dry_run: bool = False


class Lowered(StateChanged):
    """The state after a rollback, or after the one that ``dryRun`` asked about."""

    dry_run: bool = False
    preview: RollbackPreview | None = None


class KillRequest(Strict):
    """Why the kill switch is pulled; an emergency may leave it out."""

    reason: Reason = "no reason was given"


class ConcludeRequest(Strict):
    """What people decided about a validation that its numbers could not decide."""

    keep: bool = Field(description="Whether the phase is kept; false gives it up.")
    reason: Reason


class Concluded(Wire):
    """How a validation ended."""

    success: Literal[True] = True
    validation: Validation


class CooldownAnswer(Wire):
    """Whether nobody may propose a rise now, and until when."""

    running: bool
    cooldown: Cooldown | None


class CooldownLifted(Wire):
    """What came of an agreement to end a cooldown early."""

    success: Literal[True] = True
    lifted: bool
    missing_approvals: list[str]
    joint_act: JointAct


class PhaseEntry(Wire):
    """One stay at a phase; the whitelist is the one that it ended with."""

    phase: Phase
    command_whitelist: list[str]
    started_at: Moment
    ended_at: Moment | None
    cause: str
    actor: str
    autonomy_epoch: int
