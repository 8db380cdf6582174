"""What workers left on Kafka, against the oracle's answer to the log that lies there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from schemas.actions import DECISION, BreakerAction, Frontier
from schemas.events import Reason
from schemas.topics import COMMAND_EVENTS
from schemas.wire import to_ms
from tests.integration.operators import book_of
from tests.integration.topics import cuts_of, read_topic, source_logs
from tests.oracle.comparing import (
    ActionDifferences,
    action_differences,
    count_differences,
    summed_cuts,
)
from tests.oracle.conditions import Tree
from tests.oracle.counting import Counts, DeadLetter, published_counts
from tests.oracle.joining import joins_of
from tests.oracle.log import SourceLog
from tests.oracle.report import Expected, expect

HEADERS = {"topic", "partition", "offset", "reason", "detail", "receivedAt"}


@dataclass(frozen=True, slots=True)
class Published:
    """Everything under one prefix: what went in, what came out, what should have."""

    prefix: str
    logs: Sequence[SourceLog]
    wanted: Expected
    counts: Counts
    counted_upto: Mapping[int, int]
    decisions: Sequence[tuple[int, BreakerAction | Frontier]]
    dead: Sequence[Any]
    joins: Sequence[Mapping[int, int]]

    @property
    def actions(self) -> list[BreakerAction]:
        """All action records, repeats too."""
        return [one for _, one in self.decisions if isinstance(one, BreakerAction)]

    @property
    def judged_until(self) -> int:
        """The T up to which all judges said that they had decided."""
        last = {
            one.partition: to_ms(one.judged_until)
            for _, one in self.decisions
            if isinstance(one, Frontier)
        }
        return min(last.values())

    def count_differences(self) -> list[str]:
        """Return where the tallies add up to something else, as far as they reach."""
        wanted: Counts = {}
        for report in self.wanted.partitions:
            upto = self.counted_upto.get(report.log.partition, 0)
            wanted.update(published_counts(report, upto=upto))
        return count_differences(self.counts, wanted)

    def action_differences(self) -> ActionDifferences:
        """Return how the actions differ; what was not judged yet may still be missing."""
        ids = {action.id for action in self.actions}
        due = {
            key: trip
            for key, trip in self.wanted.trips.items()
            if trip.at <= self.judged_until or key in ids
        }
        return action_differences(self.actions, due, topic=f"{self.prefix}command-events")

    def dead_letter_differences(self) -> list[str]:
        """Return which dead letters are missing, too many or damaged, as far as was folded."""
        reached = {
            report.log.partition: _offset_at(
                report.log, report.clocks, self.counted_upto.get(report.log.partition, 0)
            )
            for report in self.wanted.partitions
        }
        got = {_dead_letter(record) for record in self.dead}
        due = {one for one in self.wanted.dead_letters if one.offset < reached[one.partition]}
        return [
            *(f"missing: {one}" for one in due - got),
            *(f"too many: {one}" for one in got - self.wanted.dead_letters),
            *_damaged(self.dead, self.logs, topic=f"{self.prefix}{COMMAND_EVENTS.name}"),
        ]


def published(
    kafka: str, prefix: str, trees: dict[str, Tree], *, wanted: Expected | None = None
) -> Published:
    """Read everything under *prefix*, and ask the oracle, unless its answer is known."""
    logs = source_logs(kafka, prefix)
    messages = [list(cuts_of(one)) for one in read_topic(kafka, f"{prefix}tallies").values()]
    upto: dict[int, int] = {}
    counts: Counts = {}
    for topic in messages:
        counts.update(summed_cuts(topic))
        for message in topic:
            latest = max((cut.upto for cut in message.cuts), default=0)
            upto[message.partition] = max(upto.get(message.partition, 0), latest)
    joins = [joins_of(topic) for topic in messages]
    [decisions] = read_topic(kafka, f"{prefix}breaker-actions").values()
    dead = read_topic(kafka, f"{prefix}dead-letters")
    return Published(
        prefix=prefix,
        logs=logs,
        wanted=wanted
        or expect(
            logs,
            book_of(kafka, prefix, trees),
            joins=lambda scope: joins[crc32(scope.encode()) % len(joins)],
        ),
        joins=joins,
        counts=counts,
        counted_upto=upto,
        decisions=[(one.timestamp, DECISION.validate_json(one.value)) for one in decisions],
        dead=[one for records in dead.values() for one in records],
    )


def _offset_at(log: SourceLog, clocks: Sequence[int], moment: int) -> int:
    """Return an offset below which lie exactly the records whose clock is before *moment*."""
    before = sum(clock < moment for clock in clocks)
    return log.records[before - 1].offset + 1 if before else 0


def _headers(record: Any) -> dict[str, str]:
    """Return the headers of a dead letter."""
    return {name: value.decode() for name, value in record.headers}


def _dead_letter(record: Any) -> DeadLetter:
    """Return what a dead letter says of itself."""
    headers = _headers(record)
    return DeadLetter(int(headers["partition"]), int(headers["offset"]), Reason(headers["reason"]))


def _damaged(dead: Sequence[Any], logs: Sequence[SourceLog], *, topic: str) -> Iterator[str]:
    """Yield a line for each dead letter that does not hold what was sent, and why."""
    sent = {log.partition: {one.offset: one for one in log.records} for log in logs}
    for record in dead:
        headers = _headers(record)
        place = f"{headers.get('partition')}/{headers.get('offset')}"
        if set(headers) != HEADERS or headers["topic"] != topic:
            yield f"dead letter {place} has headers {headers}"
        elif record.value != sent[int(headers["partition"])][int(headers["offset"])].value:
            yield f"dead letter {place} does not hold what was sent"
