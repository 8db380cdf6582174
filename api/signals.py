"""Signals: what each means to the API. None of them ends it by chance, or in the middle of a line.

TERM, INT   end it in order: uvicorn's own handler, which then repeats the signal
USR1        let go of a log file that was moved away
HUP         read the settings again
USR2        nothing; other parts of other products open debuggers by it
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread
from types import FrameType
from typing import Final

from api.logs import let_go_of_moved_files
from api.reload import Reload

Act = Callable[[], None]

ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def expect_signals() -> None:
    """Handle every signal that people send. Only the main thread may call it."""
    for number in ENDING:
        signal.signal(number, _already_stopping)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    act_on({signal.SIGUSR1: let_go_of_moved_files, signal.SIGHUP: Reload()})


def act_on(acts: Mapping[signal.Signals, Act]) -> None:
    """Call an act when its signal comes, one after the other, in a thread of their own.

    Python handles a signal in the middle of whatever the main thread was doing, be it writing
    a line to the log: the handler may do no more than put the act into a queue.
    """
    asked: SimpleQueue[Act] = SimpleQueue()
    for number, act in acts.items():
        signal.signal(number, _puts(act, asked))
    Thread(target=_serve, args=(asked,), name="signals", daemon=True).start()


def _puts(act: Act, asked: SimpleQueue[Act]) -> Callable[[int, FrameType | None], None]:
    """Return a handler that puts *act* into the queue, which may be done at any moment."""
    return lambda _number, _frame: asked.put(act)


def _serve(asked: SimpleQueue[Act]) -> None:
    """Do what is asked for, until the process ends."""
    while True:
        asked.get()()


def _already_stopping(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the server has ended for this signal, and what follows it must run too."""
