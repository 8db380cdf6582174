"""Leaving at once: the way back is the one that every crash test takes, and it loses nothing."""

from __future__ import annotations

import logging
import os
from typing import Final, NoReturn

log = logging.getLogger(__name__)

EXIT_UNAVAILABLE: Final = 69
"""Exit status when Kafka refuses what is needed; a start may work later."""

EXIT_BROKEN: Final = 70
"""Exit status when something is wrong that a restart may mend."""

EXIT_STALLED: Final = 75
"""Exit status when the watchdog saw no progress."""

EXIT_TAKEN: Final = 77
"""Exit status when another worker has taken the id of this one, which seemed dead."""


def leave(problem: BaseException | str, status: int = EXIT_BROKEN) -> NoReturn:
    """End the process without any clean-up that could make a wrong state durable."""
    log.critical("leaving: %s", problem, exc_info=isinstance(problem, BaseException))
    logging.shutdown()
    os._exit(status)
