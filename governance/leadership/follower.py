"""How the stream is, on a standby: the judges' frontiers are heard, and nothing is applied."""

from __future__ import annotations

from governance.consumer import PARTITION, decode
from governance.desk import Desk
from governance.frontier import Frontiers
from governance.kafka_reader import KafkaReader, Pulse
from schemas.actions import Frontier
from schemas.errors import BadRecord
from schemas.topics import BREAKER_ACTIONS

BATCH = 1_000
"""Records taken at a time."""


class FrontierFollower:
    """Takes turns at reading ``breaker-actions``, from where the active service last wrote it was.

    Its reader is its own, so that what it has passed over is never taken for applied.
    """

    def __init__(self, desk: Desk, bootstrap_servers: str, frontiers: Frontiers) -> None:
        self._desk = desk
        self._servers = bootstrap_servers
        self._frontiers = frontiers
        self._topic = desk.settings.topic(BREAKER_ACTIONS.name)
        self._reader: KafkaReader | None = None

    @property
    def pulse(self) -> Pulse | None:
        """Return when Kafka last answered, or None while it is not read."""
        reader = self._reader
        return reader.pulse if reader else None

    def turn(self) -> None:
        """Note the frontiers that came.

        Raises:
            Unavailable: the database or the topic is not there.
            KafkaError: Kafka does not answer.
        """
        reader = self._reader or self._open()
        for record in reader.poll(BATCH).get(PARTITION, []):
            try:
                found = decode(record.value)
            except BadRecord:
                continue  # the active service says so
            if isinstance(found, Frontier):
                self._frontiers.note(found)

    def close(self) -> None:
        """Let go of the reader."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _open(self) -> KafkaReader:
        """Open the topic."""
        self._reader = KafkaReader(
            self._servers, self._topic, client_id="governance-standby", next_offset=self._stored
        )
        return self._reader

    def _stored(self, partition: int) -> int | None:
        """Return the offset that the database holds."""
        with self._desk.store.reading() as unit:
            return unit.offsets.next_offset(self._topic, partition)
