"""Preconditions: what a caller saw is compared in the transaction that changes it.

Compared before it, fifty requests that saw the same would all pass, and then all act.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from schemas.errors import Outdated
from schemas.governance import GovernanceState

Thing = TypeVar("Thing", contravariant=True)

Check = Callable[[Thing], None]
"""Looks at what is about to be changed, and raises if the caller decided on something else."""


def as_it_is(_: object) -> None:
    """Accept what is there: the caller does not say what they saw."""


def state_tag(state: GovernanceState) -> str:
    """Return the tag of a state; the days that pass are no change of it."""
    said = state.model_dump_json(exclude={"days_since_phase_start"})
    return f'"e{state.autonomy_epoch}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"'


def check_tag(seen: str | None, present: str) -> None:
    """Check that what the caller saw is still so.

    Raises:
        Outdated: it changed.
    """
    if seen is not None and seen != present:
        raise Outdated(
            f"you saw {seen}, it is now {present}", allowed_when="read it again and decide on it"
        )


def check_state(seen: str | None) -> Check[GovernanceState]:
    """Return what checks that the state still has the tag that the caller saw, if they say."""
    return lambda state: check_tag(seen, state_tag(state))
