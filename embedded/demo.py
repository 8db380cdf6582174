"""Plays a scenario to Kafka in real time, until it is told to stop."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from typing import Final

from embedded.scenarios import Record, Scenario, traffic
from embedded.sending import Sender

log = logging.getLogger(__name__)

BEHIND: Final = 5.0
"""Seconds after which records that should have been sent are left out instead.

A laptop that slept would otherwise send an hour of events at once, all of them late.
"""


def play(
    scenario: Scenario,
    *,
    bootstrap_servers: str,
    topic: str,
    seed: int,
    stop: threading.Event,
) -> int:
    """Send *scenario* until *stop* is set; return how many records were sent.

    Raises:
        Unavailable: Kafka does not take them.
    """
    start = time.time()
    run = f"{int(start):x}{secrets.token_hex(2)}"
    records = traffic(scenario, seed=seed, run=run, start=int(start * 1000))
    log.info("scenario %s, seed %d, ids begin with %s", scenario.value, seed, run)
    with Sender(bootstrap_servers, topic) as sender:
        for record in records:
            is_due = _is_due(record, start, stop)
            if stop.is_set():
                break
            if is_due:
                sender.send(record.key.encode(), record.value)
        return sender.sent


def _is_due(record: Record, start: float, stop: threading.Event) -> bool:
    """Wait for the moment of *record*; return False if that is long past."""
    ahead = start + record.due / 1000 - time.time()
    if ahead > 0:
        stop.wait(ahead)
    return ahead > -BEHIND
