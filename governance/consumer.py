"""From ``breaker-actions`` into the database: each action once, nothing lost, whatever dies.

    poll ──► one transaction: events, autonomy, audit, outbox, next offset ──► poll ──► ...
                                                            │
    killed anywhere: the database's offset says where to go on, and known ids change nothing

The database's offset is the truth. Kafka is told nothing: the partition is assigned, there is
no group, and nobody but this thread reads it. Frontiers are kept in memory; they move the
stored offset only now and then, so that a heartbeat costs no write.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from governance.desk import Desk
from governance.frontier import Frontiers
from governance.handlers import Position, apply_actions
from governance.handlers.insistence import insist
from governance.kafka_reader import KafkaReader, Pulse
from schemas.actions import DECISION, BreakerAction
from schemas.errors import BadRecord
from schemas.faults import fault_of
from schemas.rules import Action
from schemas.topics import BREAKER_ACTIONS

log = logging.getLogger(__name__)

PARTITION: Final = 0
"""``breaker-actions`` has one partition, so that its order is total."""

BATCH: Final = 100
"""Records in one transaction at most: a quarter of a second, for which other writers wait."""

RARELY: Final = 60.0
"""Seconds after which frontiers alone move the stored offset."""

FOR_EVER: Final = timedelta(days=365)
"""What was read is applied before anything else is done, however long the database is held."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Records on ``breaker-actions`` that nobody can read: how many, and the last of them."""

    count: int = 0
    last: str | None = None
    at: datetime | None = None


@dataclass(slots=True)
class Counted:
    """What this thread did since it was started."""

    applied: int = 0
    repeated: int = 0


class ActionConsumer:
    """Takes turns at reading ``breaker-actions`` and applying what it says."""

    def __init__(
        self,
        desk: Desk,
        bootstrap_servers: str,
        frontiers: Frontiers,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._desk = desk
        self._servers = bootstrap_servers
        self._is_stopping = is_stopping
        self._topic = desk.settings.topic(BREAKER_ACTIONS.name)
        self._frontiers = frontiers
        self._reader: KafkaReader | None = None
        self._next: int | None = None
        self._saved_at = 0.0
        self.malformed = Malformed()
        self.counted = Counted()

    @property
    def pulse(self) -> Pulse | None:
        """Return when Kafka last answered, or None while it is not read."""
        reader = self._reader
        return reader.pulse if reader else None

    def turn(self) -> None:
        """Read what is new and apply it, in one transaction.

        What was read waits for the database here, so that a revert takes effect as soon as a
        lock is gone, and not when this thread has opened Kafka anew.

        Raises:
            Unavailable: the database is busy or away, and nothing was read or we are asked to
                stop; the next turn reads the same again.
            KafkaError: Kafka does not answer.
        """
        reader = self._reader or self._open()
        records = reader.poll(BATCH).get(PARTITION, [])
        if records:
            self._take(records)
        elif self._next is not None and time.monotonic() - self._saved_at > RARELY:
            self._apply([])

    def close(self) -> None:
        """Let go of the reader; the next turn opens one where the database says."""
        reader, self._reader, self._next = self._reader, None, None
        if reader is not None:
            reader.close()

    def _open(self) -> KafkaReader:
        """Open the topic at the database's offset."""
        self._reader = KafkaReader(
            self._servers, self._topic, client_id="governance-state", next_offset=self._stored
        )
        self._saved_at = time.monotonic()
        return self._reader

    def _stored(self, partition: int) -> int | None:
        """Return the offset that the database holds."""
        with self._desk.store.reading() as unit:
            return unit.offsets.next_offset(self._topic, partition)

    def _take(self, records: Sequence[Any]) -> None:
        """Apply the actions among *records*; note the frontiers once all before them is safe."""
        decisions = [self._decoded(record) for record in records]
        actions = [found for found in decisions if isinstance(found, BreakerAction)]
        self._next = records[-1].offset + 1
        if actions or time.monotonic() - self._saved_at > RARELY:
            self._apply(actions)
        for found in decisions:
            if found is not None and not isinstance(found, BreakerAction):
                self._frontiers.note(found)

    def _apply(self, actions: Sequence[BreakerAction]) -> None:
        """Apply *actions* and remember how far the topic was read."""
        if self._next is None:
            return
        position = Position(self._topic, PARTITION, self._next)
        applied = insist(
            lambda: apply_actions(self._desk, actions, position=position),
            patience=FOR_EVER,
            is_stopping=self._is_stopping,
        )
        self._saved_at = time.monotonic()
        self.counted.applied += applied.new
        self.counted.repeated += applied.repeated

    def _decoded(self, record: Any) -> Any:
        """Return what a record says, or None, counted and logged, when nobody can read it."""
        try:
            return decode(record.value)
        except BadRecord as error:
            self._count_malformed(record, error)
            return None

    def _count_malformed(self, record: Any, error: BadRecord) -> None:
        """Say that a record was passed over: it may have been a trip."""
        last = f"offset {record.offset}: {error}"
        self.malformed = Malformed(self.malformed.count + 1, last, self._desk.clock())
        log.error("%s: a record that nobody can read was passed over: %s", self._topic, last)


def decode(value: bytes | None) -> Any:
    """Return the `BreakerAction` or `Frontier` that a record's value holds.

    Raises:
        BadRecord: it holds neither, or an action that cannot be carried out.
    """
    try:
        found = DECISION.validate_json(value or b"")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRecord("invalid", f"{where}: {fault_of(first)}") from None
    if isinstance(found, BreakerAction):
        _check(found, value or b"")
    return found


def _check(action: BreakerAction, value: bytes) -> None:
    """Refuse an action that cannot be carried out, or that no database would hold.

    A record that only the database refuses would be tried for ever, and hold up all behind it.

    Raises:
        BadRecord: says what is wrong with it.
    """
    pauses = action.action is Action.PAUSE_COMMAND_TYPE
    for wrong, problem in (
        (pauses and not action.command_type, "a pause that names no command type"),
        (b"\\u0000" in value, "a NUL character"),
        (not 0 < action.rule_version < 2**31, "a version that is no version"),
        (not 0 <= (action.epoch or 0) < 2**63, "an epoch that is no epoch"),
        (not 2000 <= action.decided_at.year < 3000, "a moment outside all memory"),
    ):
        if wrong:
            raise BadRecord("invalid", problem)
