"""Writes what happened into the log, a line each, so that whoever follows it sees the story.

    {"event": "SET_FAN paused: ...", "type": "governance.command_type.paused", ...}

It says what subscribers are told, once it is committed, Kafka or not. The audit log is the record;
this is for eyes and for ``grep``, and a process that is killed may owe it its last line.
"""

from __future__ import annotations

import logging
from typing import Final

from governance.feed import Feed
from schemas.alerts import Alert, AlertType
from schemas.events import Severity
from schemas.topics import ALERTS

log = logging.getLogger(__name__)

BREATH: Final = 1.0
"""Seconds that a turn waits for news at most, so that a stop waits no longer."""

SAID_ELSEWHERE: Final = frozenset({AlertType.STREAM_BLIND, AlertType.STREAM_SEES})
"""The lookout says these as soon as it sees them, before they can be committed."""

GRAVE: Final = frozenset({Severity.CRITICAL, Severity.HIGH})
"""Severities that are warnings in the log."""


class Chronicle:
    """Takes turns at writing what is new."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._seen: int | None = None

    def begin(self) -> None:
        """Begin with what is committed from here on.

        Raises:
            Unavailable: the database does not answer.
        """
        self._seen = self._feed.last()

    def rest(self) -> None:
        """Write nothing more: another service does. The next turn begins anew."""
        self._seen = None

    def turn(self) -> None:
        """Write what is new, or wait for something.

        Raises:
            Unavailable: the database does not answer; the next turn goes on there.
        """
        if self._seen is None:
            self.begin()
            return
        commits = self._feed.commits
        rows = self._feed.after(self._seen, topics=(ALERTS.name,))
        for row in rows:
            _write(Alert.model_validate_json(row.value))
            self._seen = row.seq
        if not rows:
            self._feed.wait(commits, BREATH)


def _write(alert: Alert) -> None:
    """Write one line."""
    if alert.type in SAID_ELSEWHERE:
        return
    level = logging.WARNING if alert.data.severity in GRAVE else logging.INFO
    about = {"type": alert.type.value, "autonomy_epoch": alert.data.autonomy_epoch}
    if alert.data.event_id is not None:
        about["event_id"] = alert.data.event_id
    log.log(level, "%s", alert.data.summary, extra=about)
