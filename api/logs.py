"""Logs: one JSON object a line in ``governance.log``, and readable lines on a terminal.

    governance.log        the file: what the runbook moves away, compresses and touches
    logs/governance.log   a link to it: what the runbook follows

Values are escaped by JSON: what a producer puts into a name cannot forge a line.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from api.log_file import LogFile, settle
from api.log_throttle import MARK, Throttle, ThrottleFilter, left_out_before
from schemas.places import place_of
from schemas.settings import Settings

log = structlog.get_logger(__name__)

SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
)
"""What happens to every line, ours and the libraries'."""

NOISY: Final[dict[str, int]] = {
    "kafka": logging.CRITICAL,
    "alembic": logging.WARNING,
    "uvicorn": logging.WARNING,
}
"""Libraries that are heard only from this level on, unless the log level is ``debug``.

While Kafka is away its client writes thirty lines a second; what matters of it, and of a start and
an end, we say ourselves.
"""


def start_logs(settings: Settings, throttle: Throttle | None = None) -> None:
    """Send the whole process's log to the file of *settings*, and to a terminal if there is one.

    Raises:
        BadSetting: the log file cannot be where it is set to be; the log is as it was.
    """
    problem = _settle(settings)
    with place_of("GOVERNANCE_LOG_FILE", settings.log_file):
        handlers: list[logging.Handler] = [_file_handler(settings.log_file)]
    if sys.stderr.isatty():
        handlers.append(_terminal_handler())
    shared = ThrottleFilter(throttle)
    for handler in handlers:
        handler.addFilter(shared)
    logging.basicConfig(handlers=handlers, force=True)
    set_level(settings.log_level)
    if problem is not None:
        log.warning("the log is not where the runbook looks", problem=problem)


def set_level(level: str) -> None:
    """Hear everybody from *level* on; it may be changed while the process runs."""
    logging.getLogger().setLevel(level.upper())
    for name, quiet in NOISY.items():
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else quiet)
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=False,
    )


def let_go_of_moved_files() -> None:
    """Close log files that were moved away, and go on in new ones: the runbook's ``kill -USR1``."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.let_go()
    log.info("the log goes on here if the file before was moved away")


def _settle(settings: Settings) -> str | None:
    """Make the log be where people look for it; return what is in the way, if something is."""
    if settings.log_link == settings.log_file:
        return None
    return settle(settings.log_file, settings.log_link)


def _file_handler(path: Path) -> logging.Handler:
    """Return the handler of the log file."""
    handler = LogFile(path)
    handler.setFormatter(
        _formatter(structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    )
    return handler


def _terminal_handler() -> logging.Handler:
    """Return the handler for people who watch."""
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(structlog.dev.ConsoleRenderer()))
    return handler


def _formatter(*rendering: Processor) -> logging.Formatter:
    """Return a formatter that ends with *rendering*."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[
            _with_left_out,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_colours,
            *rendering,
        ],
    )


def _with_left_out(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Say how many lines like this one were left out before it, if any were."""
    line.pop(MARK, None)
    if left_out := left_out_before(line["_record"]):
        line[MARK] = left_out
    return line


def _without_colours(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Remove the copy of each message that uvicorn colours for terminals."""
    line.pop("color_message", None)
    return line
