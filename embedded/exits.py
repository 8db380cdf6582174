"""Exit codes: what a supervisor, a script or a person may conclude from how a command ended.

From 64 on they are those of ``sysexits.h``, which service managers know too.
"""

from __future__ import annotations

from enum import IntEnum

from schemas.errors import BadSetting, GovernanceError, Unavailable
from streams.exits import EXIT_BROKEN, EXIT_STALLED, EXIT_TAKEN, EXIT_UNAVAILABLE


class Exit(IntEnum):
    """Every code that ``governance`` ends with; `docs/operations.md` has the same table."""

    DONE = 0
    """It did what it was asked to."""
    NOT_DONE = 1
    """The answer is no: bad lines in a file, no such thing, not in the present state."""
    USAGE = 2
    """The command line is wrong."""
    UNAVAILABLE = EXIT_UNAVAILABLE
    """Kafka, the database or the API does not answer; the same command may work later."""
    BROKEN = EXIT_BROKEN
    """A worker met what it does not understand; a new start usually mends it."""
    STALLED = EXIT_STALLED
    """A worker made no progress and left, to be started again."""
    TAKEN = EXIT_TAKEN
    """Another worker has taken the id of this one, which stood still for too long."""
    SETTING = 78
    """A setting cannot be used; a new start would end the same way."""
    INTERRUPTED = 130
    """Ctrl-C ended a command before it was done."""


HOPELESS: frozenset[int] = frozenset({Exit.USAGE, Exit.SETTING})
"""After these a supervisor need not try again."""


def exit_of(error: GovernanceError) -> Exit:
    """Return the code that tells of *error*."""
    if isinstance(error, BadSetting):
        return Exit.SETTING
    return Exit.UNAVAILABLE if isinstance(error, Unavailable) else Exit.NOT_DONE
