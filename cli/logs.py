"""The log of a process that a supervisor or a container keeps: plain lines on stderr."""

from __future__ import annotations

import logging
import time

from api.log_throttle import Throttle, ThrottleFilter, left_out_before
from schemas.settings import Settings, unknown_here

log = logging.getLogger(__name__)

TALKATIVE = ("aiokafka", "faust", "mode", "kafka", "asyncio")
"""Libraries that say at level info what only their authors want to know."""


class _Plain(logging.Formatter):
    """Lines that end with how many like them were left out before, if any were."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without a traceback."""
        left_out = left_out_before(record)
        more = f" ({left_out} lines like this were left out before)" if left_out else ""
        return super().formatMessage(record) + more


def log_to_stderr(settings: Settings, throttle: Throttle | None = None) -> None:
    """Log lines with a time in UTC; libraries are heard from level warning on."""
    handler = logging.StreamHandler()
    formatter = _Plain("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s")
    formatter.converter = time.gmtime
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.datefmt = formatter.default_time_format
    handler.setFormatter(formatter)
    handler.addFilter(ThrottleFilter(throttle))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for library in TALKATIVE:
        if settings.log_level != "debug":
            logging.getLogger(library).setLevel(logging.WARNING)


def warn_of_unknown() -> None:
    """Log the name of each variable that looks like a setting and is none."""
    for variable in unknown_here():
        log.warning("%s", variable)
