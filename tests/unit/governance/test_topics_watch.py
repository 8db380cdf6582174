"""When the topics are compared with the database, and what is told again because of judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.desk import Desk
from governance.frontier import Frontiers
from governance.topics_watch import COMPARE, TELL, TopicsWatch
from schemas.actions import Frontier
from schemas.errors import Unavailable
from schemas.topics import RULES, STATE
from tests.desks import NOON, SetClock, desk_at

NAME = "High Error Rate"
HOUR = timedelta(hours=1)


class Kafka:
    """The control topics in memory; they are read anew at the first look and when asked."""

    def __init__(self, names: list[str]) -> None:
        self.records: dict[str, dict[str, bytes]] = {name: {} for name in names}
        self.is_new = True
        self.is_away = False

    def refresh(self) -> bool:
        """Say whether they were read anew."""
        if self.is_away:
            raise Unavailable("kafka", "it does not answer")
        anew, self.is_new = self.is_new, False
        return anew

    def close(self) -> None:
        """Read anew next time."""
        self.is_new = True


@pytest.fixture
def frontiers() -> Frontiers:
    """Return what no judge has reported to yet."""
    return Frontiers()


@pytest.fixture
def desk(tmp_path: Path, frontiers: Frontiers) -> Iterator[Desk]:
    """Return a desk that hears of judges."""
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    yield replace(desk, judges=frontiers.in_use)
    desk.store.close()


class Watch(TopicsWatch):
    """The watch over topics in memory, at moments that a test sets."""

    def __init__(self, desk: Desk, frontiers: Frontiers) -> None:
        super().__init__(desk, "nowhere", frontiers, wait=lambda _: None)
        self.kafka = Kafka([desk.settings.topic(topic.name) for topic in (RULES, STATE)])
        self._topics = self.kafka  # type: ignore[assignment]

    def let_a_minute_pass(self) -> None:
        """Let the next look compare."""
        assert self._compared_at is not None
        self._compared_at -= COMPARE + 1

    def publish(self) -> list[str]:
        """Do as the relay does, and return the keys."""
        with self._desk.store.writing() as unit:
            rows = unit.outbox.unpublished(1_000)
            unit.outbox.mark_published([row.seq for row in rows], NOON)
        for row in rows:
            if row.topic != "alerts":
                self.kafka.records[f"governance.{row.topic}"][row.key] = row.value.encode()
        assert isinstance(self._desk.clock, SetClock)
        self._desk.clock.pass_(HOUR)
        return [row.key for row in rows]


def test_nothing_may_be_published_before_the_first_comparison(
    desk: Desk, frontiers: Frontiers
) -> None:
    """However long Kafka is away; and so it is again for a service that was not active."""
    watch = Watch(desk, frontiers)
    watch.kafka.is_away = True
    with pytest.raises(Unavailable):
        watch.turn()
    may = [watch.may_publish]
    watch.kafka.is_away = False
    watch.turn()
    may.append(watch.may_publish)
    watch.stand_by()
    may.append(watch.may_publish)
    assert may == [False, True, False]
    assert watch.kafka.is_new


def test_topics_that_were_read_anew_are_compared_at_once(desk: Desk, frontiers: Frontiers) -> None:
    """Otherwise once a minute: what is on Kafka does not change by itself."""
    watch = Watch(desk, frontiers)
    watch.turn()
    assert len(watch.publish()) == 6
    for records in watch.kafka.records.values():
        records.clear()
    watch.turn()
    assert not watch.last
    watch.kafka.is_new = True
    watch.turn()
    assert (watch.last.rules_told, watch.last.state_told) == (4, True)


def test_a_rule_that_a_judge_did_not_hear_of_is_told_a_few_times(
    desk: Desk, frontiers: Frontiers
) -> None:
    """A worker that missed it hears of it then; one that is too old for it never will."""
    watch = Watch(desk, frontiers)
    watch.turn()
    watch.publish()
    used = {rule.name: 1 for rule in handlers.list_rules(desk) if rule.name != NAME}
    said = Frontier(partition=0, partitions=1, judged_until=NOON, worker="w", rule_versions=used)
    frontiers.note(said)
    told = []
    for _ in range(TELL + 2):
        watch.let_a_minute_pass()
        watch.turn()
        told.append([key for key in watch.publish() if key.startswith(NAME)])
    assert told == [[f"{NAME}@1"]] * TELL + [[], []]
