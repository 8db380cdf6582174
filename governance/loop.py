"""A thread that takes turns until it is stopped, and survives whatever a turn raises."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from kafka.errors import KafkaError

from schemas.errors import Standby, Unavailable

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between a turn that failed and the next: doubled each time, up to this."""

RESTED: Final = 0.25
"""Seconds between two looks of a loop that rests."""

REMIND: Final = 60.0
"""Seconds after which trouble that goes on is logged again."""


class Loop:
    """One thread of the state service.

    ``turn`` does a bounded piece of work, waiting at most a second or so for it. When it raises,
    ``reset`` lets go of what may be broken and the next turn starts afresh, later each time.
    Trouble is logged when it begins, once a minute while it lasts, and when it ends, with a
    traceback if it is more than somebody who is away; `trouble` shows it to the health checks.

    While it *may_run* not, it rests: it has called ``rest`` (or ``reset``) once and holds nothing.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], None],
        *,
        reset: Callable[[], None] = lambda: None,
        rest: Callable[[], None] | None = None,
        may_run: Callable[[], bool] = lambda: True,
    ) -> None:
        self._turn = turn
        self._reset = reset
        self._rest = rest or reset
        self._may_run = may_run
        self._is_resting = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._pause = FIRST_PAUSE
        self._reminded = 0.0
        self.trouble: str | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was asked to end."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Ask the thread to end after its present turn."""
        self._stopping.set()

    def join(self, seconds: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond being asked to stop."""
        self._stopping.wait(seconds)

    def _run(self) -> None:
        """Take turns, then let go of everything."""
        while not self._stopping.is_set():
            if self._may_run():
                self._is_resting = False
                self._take_turn()
            else:
                self._take_a_rest()
        self._let_go(self._reset)

    def _take_a_rest(self) -> None:
        """Let go of what belonged to the time in which this might run, and wait for the next."""
        if not self._is_resting:
            self._is_resting = True
            self._let_go(self._rest)
            self._forget()
        self.wait(RESTED)

    def _take_turn(self) -> None:
        """Take one turn; when it fails, say so, let go, and wait."""
        try:
            self._turn()
        except Standby:
            self.wait(FIRST_PAUSE)  # and then rest: another service does this
        except Exception as error:  # noqa: BLE001 - a thread that dies in silence is blind
            self._fail(error)
        else:
            self._succeed()

    def _fail(self, error: Exception) -> None:
        """Say what went wrong, unless it was said just now, and make ready for another try."""
        name = self._thread.name
        said = _sentence(error)
        if self.trouble is None or time.monotonic() - self._reminded > REMIND:
            trace = None if _is_away(error) else error
            log.warning("%s failed and will try again: %s", name, said, exc_info=trace)
            self._reminded = time.monotonic()
        self.trouble = said
        self._let_go(self._reset)
        self.wait(self._pause)
        self._pause = min(LONGEST_PAUSE, self._pause * 2)

    def _let_go(self, reset: Callable[[], None]) -> None:
        """Reset; what cannot even be closed is dropped."""
        try:
            reset()
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("%s could not let go: %s", self._thread.name, error)

    def _succeed(self) -> None:
        """Forget the trouble, if there was any."""
        if self.trouble is not None:
            log.info("%s works again", self._thread.name)
        self._forget()

    def _forget(self) -> None:
        """Have no trouble."""
        self.trouble = None
        self._pause = FIRST_PAUSE


def _sentence(error: Exception) -> str:
    """Return what *error* says, with its name in front; Kafka's errors bring theirs along."""
    name, words = type(error).__name__, str(error)
    return words if words.startswith(name) else f"{name}: {words}"


def _is_away(error: Exception) -> bool:
    """Tell whether Kafka or the database is just not there, so that no line of ours is to blame."""
    return isinstance(error, Unavailable) or (isinstance(error, KafkaError) and error.retriable)
