"""What a judge says with every flush: how far it has decided, and by which rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from schemas.actions import Frontier, ruleset_digest
from schemas.topics import BREAKER_ACTIONS
from schemas.wire import from_ms
from streams.batch import Output
from streams.judge import Judge

FRONTIER_KEY: Final = b"frontier"

LIST_EVERY: Final = 5_000
"""How often (ms of log time) the rules are listed though they are the same: a state service that
has just started learns them within ten seconds."""


class Heartbeat:
    """Makes the `Frontier` records of one worker's judges."""

    def __init__(
        self, worker: str, partitions: int, *, overflowed: Callable[[], int] = lambda: 0
    ) -> None:
        self._worker = worker
        self._partitions = partitions
        self._overflowed = overflowed
        self._listed: dict[int, tuple[Judge, str, int]] = {}

    def __call__(self, judge: Judge) -> Output | None:
        """Return the record of *judge*, once it has decided anything."""
        if judge.first is None:
            return None
        frontier = Frontier(
            partition=judge.partition,
            partitions=self._partitions,
            judged_until=from_ms(judge.at),
            worker=self._worker,
            ruleset=(digest := ruleset_digest(judge.in_force)),
            rule_versions=self._list(judge, digest),
            lacking=judge.lacking or None,
            overflowed=self._overflowed(),
        )
        return Output(BREAKER_ACTIONS.name, frontier.to_bytes(), 0, FRONTIER_KEY)

    def _list(self, judge: Judge, digest: str) -> dict[str, int] | None:
        """Return the rules of *judge* if they changed, or were not listed for a while."""
        listed = self._listed.get(judge.partition)
        if listed is not None:
            same = listed[0] is judge and listed[1] == digest
            if same and judge.at - listed[2] < LIST_EVERY and not judge.lacking:
                return None
        self._listed[judge.partition] = judge, digest, judge.at
        return dict(judge.in_force)
