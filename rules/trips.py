"""The facts of a trip on which escalation decides, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.errors import Refused
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action

MOST: Final = 1_000_000_000
"""What no honest count of trips, types or scopes exceeds."""


class Escalated(StrEnum):
    """Why more follows from a trip than its own action."""

    REPEATED_MEDIUM_TRIPS = "Repeated Medium Trips"
    MANY_PAUSED_TYPES = "Many Paused Types"
    TRIP_STORM = "Trip Storm"

    @property
    def action(self) -> Action:
        """Return the action that follows."""
        if self is Escalated.REPEATED_MEDIUM_TRIPS:
            return Action.PAUSE_COMMAND_TYPE
        return Action.REVERT_TO_L3


@dataclass(frozen=True, slots=True, kw_only=True)
class TripFacts:
    """A trip and what happened around it, counted by whoever remembers it.

    ``medium_trips_of_type``: trips of severity medium of this command type within the last
    hour, this one included. ``paused_types``: paused command types after this trip's own
    action. ``scopes_tripped``: distinct scopes that tripped in the last five minutes, this one
    included. The limits are settings; reaching one is enough.
    """

    action: Action
    severity: Severity
    command_type: str | None
    medium_trips_of_type: int
    paused_types: int
    scopes_tripped: int
    phase: Phase
    medium_limit: int
    paused_limit: int
    storm_limit: int

    def check(self) -> None:
        """Check that the facts do not contradict each other.

        Raises:
            Refused: a count is out of range, or a pause names no command type.
        """
        counts = (self.medium_trips_of_type, self.paused_types, self.scopes_tripped)
        limits = (self.medium_limit, self.paused_limit, self.storm_limit)
        if min(counts) < 0 or min(limits) < 1 or max(*counts, *limits) > MOST:
            raise Refused(f"a trip's counts are 0 to {MOST}, and its limits at least 1")
        if self.action is Action.PAUSE_COMMAND_TYPE and self.command_type is None:
            raise Refused("a trip that pauses names the command type")


@dataclass(frozen=True, slots=True)
class Escalation:
    """What follows from a trip.

    ``effect`` is the most restrictive action that follows; ``pause`` the command type that is
    paused, also when everything reverts to L3 besides. ``raised`` names the escalations that add
    an action beyond the trip's own; ``fired`` every rule that decided, in order.
    """

    effect: Action
    pause: str | None
    raised: tuple[str, ...]
    fired: tuple[str, ...]
