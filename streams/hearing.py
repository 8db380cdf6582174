"""How far what this worker knows of people's decisions is whole.

A decision takes effect a while after it was made, and whoever reads the control topics to their
ends knows all that was decided until then. So what the worker had read of when it asked for
those ends is covered, and a little beyond; what came since waits for the next answer. A worker
that was stopped and wakes up therefore never counts or judges new records by old rules.

All of this compares moments of the log with each other: nobody's own clock matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from streams.batch import Batch


class Hearing:
    """What has been read of, and what of it is covered."""

    def __init__(self, lead: int) -> None:
        """Begin with nothing covered; *lead* (ms) is how far ahead an answer holds."""
        self.latest = 0
        self.upto = 0
        self._lead = lead
        self.is_held = False
        self._ends: dict[int, int] = {}
        self._answered = asyncio.Event()

    async def wait_for(self, batch: Batch) -> None:
        """Return when all that may take effect by the last record of *batch* is known.

        A batch that holds no record asks for nothing.
        """
        if not batch.offsets:
            return
        self.latest = max(self.latest, *batch.times)
        while not self._covers(batch):
            self._answered.clear()
            await self._answered.wait()

    def _covers(self, batch: Batch) -> bool:
        """Return whether *batch* was in the log, or nearly, when the last answer was asked for.

        Nothing is covered while a rule is lacking that was counted by before (``is_held``).
        """
        if self.is_held:
            return False
        is_old = batch.offsets[-1] < self._ends.get(batch.partition, 0)
        return is_old or max(batch.times) <= self.upto

    def answer(self, moment: int, ends: Mapping[int, int]) -> None:
        """Hear that the control topics were read to the ends that were asked for afterwards.

        *moment* is the latest one of the log's clock that was known before asking, *ends* the
        ends of the source partitions that were.
        """
        self.upto = max(self.upto, moment + self._lead)
        for partition, end in ends.items():
            self._ends[partition] = max(self._ends.get(partition, 0), end)
        self._answered.set()
