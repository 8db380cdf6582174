"""How far the judges have decided: the one number that tells whether anybody sees the stream."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from governance.rules.judged import RulesInUse
from schemas.actions import Frontier, ruleset_digest
from schemas.wire import to_ms


class Frontiers:
    """The last frontier of each judge partition; kept in memory only, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[int, Frontier] = {}
        self._rules: dict[int, dict[str, int]] = {}
        self._partitions = 0

    def note(self, frontier: Frontier) -> None:
        """Take in what one judge reported; it never goes back.

        A repeat from a judge that was stopped and woke up says less than is known, and is
        passed over. A changed number of partitions begins a new set.
        """
        with self._lock:
            if frontier.partitions != self._partitions:
                self._last, self._rules = {}, {}
                self._partitions = frontier.partitions
            last = self._last.get(frontier.partition)
            if last is None or frontier.judged_until >= last.judged_until:
                self._last[frontier.partition] = frontier
                self._note_rules(frontier)

    def _note_rules(self, frontier: Frontier) -> None:
        """Keep the rules that a judge listed for as long as their digest is the one it names."""
        if frontier.rule_versions is not None:
            self._rules[frontier.partition] = frontier.rule_versions
        elif ruleset_digest(self._rules.get(frontier.partition, {})) != frontier.ruleset:
            self._rules.pop(frontier.partition, None)

    def in_use(self) -> list[RulesInUse]:
        """Return by which rules each judge judges, as far as it says so."""
        with self._lock:
            return [
                RulesInUse(
                    worker=frontier.worker,
                    judged_until=to_ms(frontier.judged_until),
                    versions=self._rules.get(partition),
                    lacking=frontier.lacking or {},
                )
                for partition, frontier in self._last.items()
            ]

    def known_rules(self) -> dict[str, int]:
        """Return the highest version of each rule that any judge judges by, or waits for."""
        known: dict[str, int] = {}
        for judge in self.in_use():
            for versions in (judge.versions or {}, judge.lacking):
                for name, number in versions.items():
                    known[name] = max(number, known.get(name, 0))
        return known

    def judges(self) -> int:
        """Return how many judges there are, as they say themselves; 0 before any reported."""
        with self._lock:
            return self._partitions

    def judged_until(self) -> datetime | None:
        """Return the moment before which everything is decided, or None before all reported."""
        with self._lock:
            if not self._last or len(self._last) < self._partitions:
                return None
            return min(frontier.judged_until for frontier in self._last.values())

    def age(self, now: datetime) -> timedelta | None:
        """Return how far the slowest judge is behind *now*, or None before all reported."""
        until = self.judged_until()
        return None if until is None else max(timedelta(0), now - until)

    def ahead(self, now: datetime) -> timedelta:
        """Return how far the slowest judge is ahead of *now*; by much, and a clock is wrong."""
        until = self.judged_until()
        return timedelta(0) if until is None else max(timedelta(0), until - now)

    def overflowed(self) -> int:
        """Return how many distinct values lately counted as one, as the workers say."""
        with self._lock:
            workers = {one.worker: one.overflowed for one in self._last.values()}
        return sum(workers.values())

    def last(self) -> dict[int, Frontier]:
        """Return the last frontier of each judge partition."""
        with self._lock:
            return dict(self._last)
