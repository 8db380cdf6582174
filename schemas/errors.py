"""Every error that the product raises on purpose, branched by what its receiver can do.

    GovernanceError
    ├── BadRecord         dead letter, and go on
    ├── BadSetting        refuse to start, naming the setting
    ├── BadRequest        the caller mends the request (400, 413, 422)
    │   └── RuleError     ... the last good rule stays live; carries the position
    ├── Refused           a legal request that the present state does not allow (409)
    │   └── NoRise        ... a rise of autonomy that lacks something; each lack is a kind
    ├── NotFound          no such thing; carries near matches (404)
    ├── NotAuthenticated  nobody knows who asks (401)
    ├── NotPermitted      the caller may not (403)
    ├── TooManyRequests   this caller has asked too often (429)
    └── Unavailable       not now; retry later (503)
        ├── Standby       ... until this service takes over, or ask the active one
        ├── DiskFull      ... until somebody makes room
        ├── Damaged       ... until somebody restores a backup
        └── Replaced      ... until the service is restarted on the right database

Errors carry values; the sentence is built from them. ``code`` is stable and public: it names
the documentation page and the problem type.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import ClassVar


class GovernanceError(Exception):
    """The root: nothing raises it directly."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class BadRecord(GovernanceError):
    """A record that cannot become an event; it goes to the dead letters with this reason."""

    code = "bad_record"

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class BadSetting(GovernanceError):
    """A setting that cannot be used; the process refuses to start."""

    code = "bad_setting"

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        self.problem = problem
        super().__init__(f"{setting}: {problem}")


class BadRequest(GovernanceError):
    """A request that its caller can mend."""

    code = "bad_request"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        self.detail = detail
        self.field = field
        super().__init__(f"{field}: {detail}" if field else detail)


class TooLarge(BadRequest):
    """A body larger than the API reads."""

    code = "too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the body is larger than {limit} bytes; send less at once")


class RuleError(BadRequest):
    """A rule that cannot go live; the last good version stays in force.

    ``position`` is the zero-based index into ``source`` of the first character at fault, or
    None when the fault is not inside a condition.
    """

    code = "rule_error"

    def __init__(
        self,
        problem: str,
        *,
        source: str = "",
        position: int | None = None,
        suggestion: str | None = None,
        field: str | None = "condition",
    ) -> None:
        self.problem = problem
        self.source = source
        self.position = position
        self.suggestion = suggestion
        hint = f"; did you mean {suggestion}?" if suggestion else ""
        super().__init__(f"{problem}{hint}", field=field)

    @property
    def caret(self) -> str | None:
        """Return the source with a caret under the fault, for people, or None without one."""
        if self.position is None:
            return None
        return f"{self.source}\n{' ' * self.position}^"


class KeyReused(BadRequest):
    """The ``Idempotency-Key`` was used for another request before."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "this key was used for another request; a new request needs a new key",
            field="Idempotency-Key",
        )


class Refused(GovernanceError):
    """A legal request that the present state does not allow; says what would allow it."""

    code = "refused"

    def __init__(self, detail: str, *, allowed_when: str | None = None) -> None:
        self.detail = detail
        self.allowed_when = allowed_when
        super().__init__(f"{detail}; {allowed_when}" if allowed_when else detail)


class StaleEpoch(Refused):
    """The caller decided on a state that an automatic lowering has since replaced."""

    code = "stale_epoch"

    def __init__(self, seen: int, current: int) -> None:
        self.seen = seen
        self.current = current
        super().__init__(
            f"you saw autonomy epoch {seen}, it is now {current}",
            allowed_when="read the state again and decide on it",
        )


class Conflict(Refused):
    """A thing of that name exists, or another request changed it first."""

    code = "conflict"


class Outdated(Conflict):
    """What the caller decided on has changed since: ``If-Match`` does not match."""

    code = "outdated"


class KeyInFlight(Refused):
    """The first request with this ``Idempotency-Key`` has not been answered yet."""

    code = "idempotency_in_flight"
    retryable = True


class NoRise(Refused):
    """A rise of autonomy lacks something; each lack is a kind of its own, with its remedy."""

    code = "no_rise"
    remedy: ClassVar[str] = "mend what the sentence names"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, allowed_when=self.remedy)


class NotReady(NoRise):
    """Readiness is below what a rise takes, or a required item is not met."""

    code = "not_ready"
    remedy = "address the blockers that /api/readiness/current names"


class UnresolvedEvents(NoRise):
    """Breaker events wait for people."""

    code = "unresolved_events"
    remedy = "investigate and resolve them"


class RiskTooHigh(NoRise):
    """The risk of a rise is above what its phase accepts."""

    code = "risk_too_high"
    remedy = "mitigate it, and let the next cycle propose again"


class ValidationTooShort(NoRise):
    """A proposal's validation period is shorter than its phase needs."""

    code = "validation_too_short"
    remedy = "reject it, and let the next cycle propose again"


class ValidationRunning(NoRise):
    """The last rise is still being validated."""

    code = "validation_running"
    remedy = "wait until the validation has ended"


class CooldownRunning(NoRise):
    """Autonomy was lowered not long ago."""

    code = "cooldown_running"
    remedy = "wait until the cooldown is over"


class PhaseSkipped(NoRise):
    """A rise to another phase than the next one."""

    code = "phase_skipped"
    remedy = "rise to the next phase first"


class ProposalClosed(NoRise):
    """The proposal was approved, rejected or voided before."""

    code = "proposal_closed"
    remedy = "decide on a pending proposal"


class ProposalExpired(NoRise):
    """Nobody decided on the proposal in time."""

    code = "proposal_expired"
    remedy = "let the next cycle propose again"


class StaleProposal(NoRise):
    """The proposal is no longer what the approver saw, so that the approval is for another."""

    code = "stale_proposal"
    remedy = "read the proposal again and decide on it"


class RoleNotRequired(NoRise):
    """The proposal asks for other roles."""

    code = "role_not_required"
    remedy = "let somebody approve whose role the proposal asks for"


class RoleTaken(NoRise):
    """Somebody else approved in this role."""

    code = "role_taken"
    remedy = "approve in another role that is still missing"


class OnePersonOneRole(NoRise):
    """The approver approved this proposal in another role before."""

    code = "one_person_one_role"
    remedy = "let another person approve in this role"


class OwnProposal(NoRise):
    """Whoever proposed or asked for a proposal may not approve it."""

    code = "own_proposal"
    remedy = "let somebody approve who did not ask for it"


class StreamBlind(NoRise):
    """Nobody sees what executors do, and what nobody watches is not allowed more."""

    code = "stream_blind"
    remedy = "wait until the judges report again; /ready says how the stream is"


class OwnAct(Refused):
    """Whoever asked for an act that takes two people is one of them only."""

    code = "own_act"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, allowed_when="somebody else countersigns it")


class ActClosed(Refused):
    """The act was carried out, withdrawn or voided before."""

    code = "act_closed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, allowed_when="ask for it again")


class ActExpired(ActClosed):
    """Nobody countersigned the act in time."""

    code = "act_expired"


class TooManyActs(Refused):
    """One person asked for more than anybody can look through, and nobody has signed it."""

    code = "too_many_acts"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, allowed_when="others sign some of them, or they are withdrawn")


class NotFound(GovernanceError):
    """No such thing; near matches help with a misspelt name."""

    code = "not_found"

    def __init__(self, kind: str, name: str, known: Sequence[str] = ()) -> None:
        self.kind = kind
        self.name = name
        self.near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"; near matches: {', '.join(self.near)}" if self.near else ""
        super().__init__(f"no {kind} named {name!r}{hint}")


class NotAuthenticated(GovernanceError):
    """Nobody knows who asks; the sentence never repeats what was sent."""

    code = "not_authenticated"


class NotPermitted(GovernanceError):
    """The caller is known and may not do this."""

    code = "not_permitted"


class RoleNotHeld(NotPermitted):
    """The caller does not hold the role in which they want to act."""

    code = "role_not_held"


class ServiceMayNotApprove(NotPermitted):
    """Services lower autonomy at most; people raise it."""

    code = "service_may_not_approve"


class TooManyRequests(GovernanceError):
    """One caller asked more than their share; ``retry_after`` is seconds."""

    code = "too_many_requests"
    retryable = True

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many requests; the next is answered in {retry_after} s")


class Unavailable(GovernanceError):
    """A part that is needed does not answer; the same request may succeed later."""

    code = "unavailable"
    retryable = True

    def __init__(self, part: str, detail: str, *, retry_after: int = 2) -> None:
        self.part = part
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(f"{part}: {detail}")


class Standby(Unavailable):
    """Another service on this database is the active one; this one only reads, and lowers.

    ``active`` is the address of the active service, or None while nobody is known to be.
    """

    code = "standby"

    def __init__(self, holder: str | None = None, active: str | None = None) -> None:
        self.active = active
        told = f"{holder} is the active one; ask it" if holder else "nobody is the active one yet"
        super().__init__("service", f"this one is a standby: {told}", retry_after=5)


class DiskFull(Unavailable):
    """The database has no room left; only what lowers autonomy may still be written."""

    code = "disk_full"

    def __init__(self, detail: str) -> None:
        super().__init__("database", detail, retry_after=10)


class Damaged(Unavailable):
    """The database's file makes no sense; no waiting mends that."""

    code = "database_damaged"
    retryable = False

    def __init__(self, detail: str) -> None:
        super().__init__("database", detail, retry_after=60)


class Replaced(Unavailable):
    """The database is not the one that the service opened; what is written now is not kept.

    While it is only *detached*, what lowers autonomy is still told to Kafka, and never reported
    as done.
    """

    code = "database_replaced"
    retryable = False

    def __init__(self, detail: str, *, is_detached: bool = False) -> None:
        self.is_detached = is_detached
        super().__init__("database", detail, retry_after=60)
