"""Says in plain words what the system decided, and which ``curl`` shows it.

    SET_FAN failed 3 times within 5m: paused (Repeated Command Failures)
      curl http://localhost:4007/api/circuit-breaker/events/unresolved

Follows the API's own stream of server-sent events, as any client could.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final
from urllib.error import URLError
from urllib.parse import quote

from embedded.probe import api_address, ask, asked_address, question
from schemas.alerts import AlertType
from schemas.settings import Settings
from schemas.terminals import printable

log = logging.getLogger(__name__)

AGAIN: Final = 1.0
"""Seconds before a lost stream is followed again."""

PATIENCE: Final = 60.0
"""Seconds of silence after which the stream counts as lost; it breathes more often."""

Event = Mapping[str, Any]
Say = Callable[[str, str], None]
"""Takes a sentence and the command that shows more."""

DONE: Final = {
    "pause_command_type": "paused",
    "revert_to_l3": "autonomy is back at L3",
    "alert_only": "an alert, nothing is stopped",
}
"""What each action did, in words."""

TELLING: Final = frozenset(
    {
        AlertType.BREAKER_RESOLVED,
        AlertType.TYPE_RESUMED,
        AlertType.PHASE_CHANGED,
        AlertType.RULE_CHANGED,
        AlertType.RULE_INVALID,
        AlertType.STREAM_BLIND,
        AlertType.STREAM_SEES,
    }
)
"""Alerts that are said as they are; a pause is already part of the trip that caused it."""


def sentence(event: Event) -> str:
    """Return what a breaker event (as the API shows it) means.

    >>> sentence({"action": "pause_command_type", "commandType": "SET_FAN", "scope": "SET_FAN",
    ...           "metrics": {"failures": 3}, "rule": {"name": "R", "window": "5m"}})
    'SET_FAN failed 3 times within 5m: paused (R)'
    """
    rule = event["rule"]
    done = DONE.get(event["action"], event["action"])
    return printable(f"{_cause(event)}: {done} ({rule['name']})")


def _cause(event: Event) -> str:
    """Return what happened, in the words of the metric that the rule stands on."""
    metrics, window = event["metrics"], event["rule"]["window"]
    who = "commands" if event["scope"] == "*" else f"{event['scope']} commands"
    for name, words in _WORDS.items():
        value = metrics.get(name)
        if value is not None:
            return f"{words(value, who, event['scope'])} within {window}"
    return str(event.get("details") or f"{event['rule']['name']} tripped for {event['scope']}")


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:g} times"


_WORDS: Final[dict[str, Callable[[float, str, str], str]]] = {
    "failures": lambda value, _, scope: f"{scope} failed {_times(value)}",
    "errorRate": lambda value, who, _: f"{value:.2%} of all {who} failed",
    "rollbackRate": lambda value, who, _: f"{value:.2%} of all successful {who} were rolled back",
    "incidents.critical": lambda value, _, __: f"critical incident reported {_times(value)}",
}
"""How to say each metric that the default rules look at."""


class Narrator:
    """Follows the API of *settings* from a thread of its own, from `start` to `stop`."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._address = api_address(settings)
        self._asked = asked_address(settings)
        self._say = say
        self._stopping = threading.Event()
        self._seen: str | None = None
        self._thread = threading.Thread(target=self._follow, name="narrator", daemon=True)

    def start(self) -> None:
        """Begin with what is unresolved from before, then follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; the thread ends with its next line, or with the process."""
        self._stopping.set()

    def unresolved(self) -> list[Event]:
        """Return the events that people have still to resolve.

        Raises:
            OSError: the API does not answer, or not to us.
        """
        found: list[Event] = self._read("/api/circuit-breaker/events/unresolved")
        return found

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow_once()
            except (OSError, URLError, http.client.HTTPException, ValueError) as problem:
                log.debug("the stream was lost: %s", problem)
            self._stopping.wait(AGAIN)

    def _follow_once(self) -> None:
        """Tell of every event until the stream ends."""
        headers = {"Accept": "text/event-stream"}
        if self._seen is not None:
            headers["Last-Event-ID"] = self._seen
        request = question(self._settings, f"{self._asked}/api/stream", **headers)
        with ask(request, timeout=PATIENCE) as stream:
            for kind, number, data in events(stream):
                if self._stopping.is_set():
                    return
                self._tell(kind, data)
                self._seen = number or self._seen

    def _tell(self, kind: str, data: str) -> None:
        """Say what one event means, if it means anything to people."""
        if kind == AlertType.BREAKER_TRIPPED:
            self._tell_trip(json.loads(data)["data"]["eventId"])
        elif kind in TELLING:
            self._say(printable(json.loads(data)["data"]["summary"]), self._command_for(kind))

    def _tell_trip(self, number: str) -> None:
        event = self._read(f"/api/circuit-breaker/events/{quote(number, safe='')}")
        self._say(sentence(event), f"curl {self._address}/api/circuit-breaker/events/unresolved")

    def _command_for(self, kind: str) -> str:
        """Return the command that shows what an alert is about."""
        if kind in (AlertType.RULE_CHANGED, AlertType.RULE_INVALID):
            return f"curl {self._address}/api/circuit-breaker/rules"
        if kind in (AlertType.STREAM_BLIND, AlertType.STREAM_SEES):
            return f"curl {self._address}/ready"
        return f"curl {self._address}/api/governance/state"

    def _read(self, path: str) -> Any:
        request = question(self._settings, self._asked + path)
        with ask(request, timeout=10) as answer:
            return json.load(answer)


def events(lines: Iterator[bytes] | IO[bytes]) -> Iterator[tuple[str, str, str]]:
    """Yield ``(event, id, data)`` of each server-sent event in *lines*."""
    fields: dict[str, list[str]] = {}
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            kind, number = fields.get("event", ["message"])[-1], fields.get("id", [""])[-1]
            yield kind, number, "\n".join(fields["data"])
        fields = {}
