"""The breaker of one rule on one scope: what a verdict makes of it.

                  breach                 for: has passed
      ┌─────────┐ ──────────► ┌─────────┐ ──────────► ┌─────────┐   keepFiringFor
      │ closed  │             │ pending │             │  open   │ ◄────────────┐
      └─────────┘ ◄────────── └─────────┘             └─────────┘   breach     │
        ▲    ▲        ok                                │     │                │
        │    └──────────────────────────────────────────┘     │ recovered ┌────┴───────┐
        │      resolved, or recovered without keepFiringFor   └─────────► │ recovering │
        └──────────────────────────────────────────────────────────────── └────────────┘
                        recovered for as long as keepFiringFor

Pure: the moment is an argument, in ms of log time. A verdict holds until the next one, so the
caller need only come back when a verdict changes or at `due`. Missing data neither trips nor
recovers: ``for`` adds up the time of breach alone, and ``keepFiringFor``, which runs from the
first recovery on, ends only when the recovery is seen to hold.

A rule that is given a stronger action while its breaker is open acts on the breach that stands:
the breaker trips anew, under that version, as soon as the breach has lasted its ``for`` from then
on. The trip before it is left for people to resolve, and moves nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rules.live import LiveRule
from rules.verdict import Verdict
from schemas.actions import action_id
from schemas.errors import Refused
from schemas.rules import Action
from schemas.tallies import STEP


class Position(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    PENDING = "pending"
    OPEN = "open"
    RECOVERING = "recovering"


MOVES: Final[dict[Position, frozenset[Position]]] = {
    Position.CLOSED: frozenset({Position.PENDING, Position.OPEN}),
    Position.PENDING: frozenset({Position.OPEN, Position.CLOSED}),
    Position.OPEN: frozenset({Position.OPEN, Position.RECOVERING, Position.CLOSED}),
    Position.RECOVERING: frozenset({Position.OPEN, Position.CLOSED}),
}
"""Every legal move; `docs/rules.md` shows the same table and a test keeps them equal."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is remembered of one rule on one scope; all moments are ms of log time.

    ``since`` is when it came to its ``position``. While pending, ``breaching_since`` is when the
    unbroken breach of now began (None while data is missing) and ``progress`` the ms of breach
    before that; while open, the same of a breach on which a stronger version is to act; while
    recovering, ``recovered_since`` is when the unbroken recovery of now began
    (None while data is missing). ``action_id`` and ``opened_at`` are those of the trip that
    people see; ``latched`` is whether only they close it, and ``action`` what it did (None where
    an older version of the product did not note it).
    """

    position: Position = Position.CLOSED
    since: int = 0
    breaching_since: int | None = None
    progress: int = 0
    action_id: str | None = None
    opened_at: int | None = None
    recovered_since: int | None = None
    latched: bool = False
    action: Action | None = None

    def is_exceeded_by(self, live: LiveRule) -> bool:
        """Whether *live* would do more than the trip did; where that is not known, it would not."""
        if self.action is None:
            return live.rule.action.latches and not self.latched
        return live.rule.action.exceeds(self.action)


CLOSED_BREAKER: Final = Breaker()
"""Every closed breaker is this one: closed, there is nothing to remember."""


def advance(
    breaker: Breaker, verdict: Verdict, recovery: Verdict, *, at: int, live: LiveRule, scope: str
) -> tuple[Breaker, bool]:
    """Return the breaker after the verdict at *at*, and whether it tripped and must act.

    Nothing to remember: nothing new is returned, but the very same breaker.
    *recovery* is `LiveRule.recovery`: `Verdict.BREACH` means that the breaker may recover; where
    both conditions hold, the breach wins. *scope* is the key that goes into the trip's id.

    Raises:
        Refused: *at* is before the moment at which the breaker came to where it is.
    """
    if at < breaker.since:
        raise Refused(f"a breaker at {breaker.since} cannot be judged at {at}")
    match breaker.position:
        case Position.CLOSED:
            return _from_closed(verdict, at=at, live=live, scope=scope)
        case Position.PENDING:
            return _from_pending(breaker, verdict, at=at, live=live, scope=scope)
        case Position.OPEN:
            after = _from_open(breaker, verdict, recovery, at=at, live=live)
        case Position.RECOVERING:
            after = _from_recovering(breaker, verdict, recovery, at=at, live=live)
    if after.position is not Position.OPEN:
        return after, False
    return _exceeded(after, verdict, at=at, live=live, scope=scope)


def resolve(breaker: Breaker, *, at: int) -> Breaker:
    """Return the breaker after people resolved its trip at *at*: closed, with a clean slate.

    Raises:
        Refused: it has not tripped, or not yet at *at*.
    """
    if breaker.opened_at is None or at < breaker.opened_at:
        raise Refused(
            f"a breaker that is {breaker.position} has no trip to resolve",
            allowed_when="resolve the trip that it is open for",
        )
    return _moved(breaker, CLOSED_BREAKER)


def due(breaker: Breaker, live: LiveRule) -> int | None:
    """Return the next T at which the breaker moves if all verdicts stay as they are.

    None when time alone moves nothing: closed, open, or standing still for lack of data.
    """
    if breaker.breaching_since is not None:
        moment = breaker.breaching_since + live.for_ - breaker.progress
    elif breaker.recovered_since is not None:
        moment = breaker.since + live.keep_firing_for
    else:
        return None
    return -(-moment // STEP) * STEP


def _from_closed(verdict: Verdict, *, at: int, live: LiveRule, scope: str) -> tuple[Breaker, bool]:
    """Trip on a breach, at once or after ``for``."""
    if verdict is not Verdict.BREACH:
        return CLOSED_BREAKER, False
    if not live.for_:
        return _tripped(CLOSED_BREAKER, at=at, live=live, scope=scope), True
    pending = Breaker(Position.PENDING, since=at, breaching_since=at)
    return _moved(CLOSED_BREAKER, pending), False


def _from_pending(
    breaker: Breaker, verdict: Verdict, *, at: int, live: LiveRule, scope: str
) -> tuple[Breaker, bool]:
    """Trip when the breach has lasted, and give up when it is over."""
    if verdict is Verdict.OK:
        return _moved(breaker, CLOSED_BREAKER), False
    return _lasting(breaker, verdict, at=at, live=live, scope=scope)


def _exceeded(
    breaker: Breaker, verdict: Verdict, *, at: int, live: LiveRule, scope: str
) -> tuple[Breaker, bool]:
    """Trip anew when the rule has been made stronger and the breach lasts; else stay open."""
    if verdict is not Verdict.OK and breaker.is_exceeded_by(live):
        return _lasting(breaker, verdict, at=at, live=live, scope=scope)
    if breaker.breaching_since is None and not breaker.progress:
        return breaker, False
    return replace(breaker, breaching_since=None, progress=0), False


def _lasting(
    breaker: Breaker, verdict: Verdict, *, at: int, live: LiveRule, scope: str
) -> tuple[Breaker, bool]:
    """Trip when the breach has lasted for ``for``; while nobody knows, its time stands still."""
    progress = breaker.progress + _elapsed(breaker.breaching_since, at)
    if verdict is Verdict.INSUFFICIENT:
        if breaker.breaching_since is None:
            return breaker, False
        return replace(breaker, breaching_since=None, progress=progress), False
    if progress >= live.for_:
        return _tripped(breaker, at=at, live=live, scope=scope), True
    if breaker.breaching_since is None:
        return replace(breaker, breaching_since=at), False
    return breaker, False


def _from_open(
    breaker: Breaker, verdict: Verdict, recovery: Verdict, *, at: int, live: LiveRule
) -> Breaker:
    """Stay open until people resolve the trip, or, unlatched, until it has recovered."""
    if breaker.latched or not _is_recovered(verdict, recovery):
        return breaker
    if not live.keep_firing_for:
        return _moved(breaker, CLOSED_BREAKER)
    recovering = replace(
        breaker,
        position=Position.RECOVERING,
        since=at,
        recovered_since=at,
        breaching_since=None,
        progress=0,
    )
    return _moved(breaker, recovering)


def _from_recovering(
    breaker: Breaker, verdict: Verdict, recovery: Verdict, *, at: int, live: LiveRule
) -> Breaker:
    """Close when recovery has lasted, reopen (the same trip) when it is over."""
    if _is_recovered(verdict, recovery):
        if at - breaker.since >= live.keep_firing_for:
            return _moved(breaker, CLOSED_BREAKER)
        return replace(breaker, recovered_since=at) if breaker.recovered_since is None else breaker
    if verdict is not Verdict.BREACH and recovery is Verdict.INSUFFICIENT:
        is_known = breaker.recovered_since is not None
        return replace(breaker, recovered_since=None) if is_known else breaker
    reopened = replace(breaker, position=Position.OPEN, since=at, recovered_since=None)
    return _moved(breaker, reopened)


def _tripped(breaker: Breaker, *, at: int, live: LiveRule, scope: str) -> Breaker:
    """Return the breaker open, with the id of the action that its trip publishes."""
    action = live.rule.action
    trip = Breaker(
        Position.OPEN,
        since=at,
        action_id=action_id(live.name, live.version, scope, at, action),
        opened_at=at,
        latched=action.latches,
        action=action,
    )
    return _moved(breaker, trip)


def _is_recovered(verdict: Verdict, recovery: Verdict) -> bool:
    """Return whether the recovery holds, and no breach with it."""
    return recovery is Verdict.BREACH and verdict is not Verdict.BREACH


def _elapsed(since: int | None, at: int) -> int:
    """Return the ms from *since* to *at*, 0 when nothing was going on."""
    return 0 if since is None else at - since


def _moved(before: Breaker, after: Breaker) -> Breaker:
    """Return *after*.

    Raises:
        Refused: no breaker moves like that; this would be a fault of the code above.
    """
    if after.position not in MOVES[before.position]:
        raise Refused(f"a breaker cannot go from {before.position} to {after.position}")
    return after
