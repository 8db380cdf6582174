"""Logs: one JSON object a line in ``logs/governance.log``, and readable lines on a terminal.

The file is opened anew as soon as it was moved away, so that rotating it loses no line; the
runbook's ``kill -USR1`` is therefore only a nudge. Values are escaped by JSON: what a producer
puts into a name cannot forge a line.
"""

from __future__ import annotations

import logging
import signal
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from schemas.settings import Settings

SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
)
"""What happens to every line, ours and the libraries'."""

NOISY: Final[dict[str, int]] = {"kafka": logging.CRITICAL, "alembic": logging.WARNING}
"""Libraries that are heard only from this level on, unless the log level is ``debug``.

While Kafka is away its client writes thirty lines a second; what matters of it we say ourselves.
"""


def start_logs(settings: Settings) -> None:
    """Send the whole process's log to the file of *settings*, and to a terminal if there is one."""
    handlers: list[logging.Handler] = [_file_handler(settings.log_file)]
    if sys.stderr.isatty():
        handlers.append(_terminal_handler())
    logging.basicConfig(level=settings.log_level.upper(), handlers=handlers, force=True)
    if settings.log_level != "debug":
        for name, level in NOISY.items():
            logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelName(settings.log_level.upper())
        ),
        cache_logger_on_first_use=False,
    )


def reopen_on_signal() -> None:
    """Make SIGUSR1 reopen the log file and SIGUSR2 do nothing; either would end the process.

    Only the main thread may call it.
    """
    signal.signal(signal.SIGUSR1, _reopen)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _reopen(_number: int, _frame: FrameType | None) -> None:
    """Open the log files anew where they were moved away."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, WatchedFileHandler):
            handler.reopenIfNeeded()


def _file_handler(path: Path) -> logging.Handler:
    """Return the handler of the log file, whose folder it makes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = WatchedFileHandler(path, encoding="utf-8")
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
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_colours,
            *rendering,
        ],
    )


def _without_colours(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Remove the copy of each message that uvicorn colours for terminals."""
    line.pop("color_message", None)
    return line
