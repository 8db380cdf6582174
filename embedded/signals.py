"""Signals handled in one way for a while, and as before afterwards."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a process to end: Ctrl-C, a service manager, a terminal that closes."""

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Let *handler* handle whatever asks us to end. Only the main thread may call it."""
    before = {number: signal.signal(number, handler) for number in ENDING}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupted() -> AbstractContextManager[None]:
    """Have whatever asks us to end raise KeyboardInterrupt, as Ctrl-C does by itself."""
    return handled_by(_interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
