"""The state service under fire: every action many times, the process killed again and again.

One campaign, asserted on by several tests: 1,000 actions, each delivered one to five times,
shuffled, while the service is killed twenty times without warning.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from embedded import topics
from governance import handlers
from governance.audit import ChainReport
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from rules.trips import Escalated, TripFacts
from schemas.actions import BreakerAction
from schemas.events import Severity
from schemas.governance import GovernanceState, Phase
from schemas.rules import Action
from schemas.topics import ALERTS, BREAKER_ACTIONS, RULES, STATE
from schemas.wire import to_ms
from tests.desks import NOON, settings_for, trip
from tests.state_service_process import StateServiceProcess

pytestmark = pytest.mark.integration

ACTIONS = 1_000
KILLS = 20
PATIENCE = 240.0
"""Seconds to wait for what takes a few on an idle machine."""


@dataclass(frozen=True)
class Campaign:
    """What went in and what came of it."""

    log: list[BreakerAction]
    events: dict[str, str | None]
    state: GovernanceState
    audit: ChainReport
    acts: Counter[str]
    published: list[tuple[int, int]]
    stored: list[int]


@dataclass
class Expected:
    """What plain Python makes of the log: no database, no threads, no engine."""

    paused: set[str]
    epoch: int
    events: int
    raised: Counter[str]


def make_log(chance: random.Random) -> list[BreakerAction]:
    """Return the actions in the order in which Kafka gets them: repeated and shuffled."""
    kinds = [
        (Action.ALERT_ONLY, Severity.MEDIUM),
        (Action.ALERT_ONLY, Severity.LOW),
        (Action.PAUSE_COMMAND_TYPE, Severity.HIGH),
        (Action.REVERT_TO_L3, Severity.CRITICAL),
    ]
    log: list[BreakerAction] = []
    for number in range(ACTIONS):
        action, severity = chance.choices(kinds, weights=(5, 2, 2, 1))[0]
        moment = NOON + timedelta(seconds=40 * number)
        made = trip(f"TYPE_{chance.randrange(12)}", action, severity, decided_at=moment)
        log += [made] * chance.randint(1, 5)
    chance.shuffle(log)
    return log


def expect(log: Sequence[BreakerAction]) -> Expected:
    """Return what must come of *log*, by the plain rules, first deliveries in their order."""
    told = Expected(set(), 1, 0, Counter())
    seen: list[BreakerAction] = []
    open_escalations: set[tuple[str, str]] = set()
    for action in dict.fromkeys(one.id for one in log):
        trip_ = next(one for one in log if one.id == action)
        seen.append(trip_)
        decision = decide(facts_of(trip_, seen, told.paused))
        told.events += 1
        told.epoch += decision.effect is not Action.ALERT_ONLY
        if decision.pause is not None:
            told.paused.add(decision.pause)
        for name in decision.raised:
            own = Escalated(name).action is Action.PAUSE_COMMAND_TYPE
            where = (name, trip_.scope_key if own else "*")
            told.raised[name] += where not in open_escalations
            open_escalations.add(where)
    return told


def facts_of(action: BreakerAction, seen: Sequence[BreakerAction], paused: set[str]) -> TripFacts:
    """Return the facts of *action*, the last of *seen*, by counting all of it."""

    def within(length: timedelta) -> list[BreakerAction]:
        first = action.decided_at - length
        return [one for one in seen if first < one.decided_at <= action.decided_at]

    pauses = action.action is Action.PAUSE_COMMAND_TYPE
    mediums = [
        one
        for one in within(timedelta(hours=1))
        if one.severity is Severity.MEDIUM and one.command_type == action.command_type
    ]
    return TripFacts(
        action=action.action,
        severity=action.severity,
        command_type=action.command_type,
        medium_trips_of_type=len(mediums),
        paused_types=len(paused | ({action.command_type} if pauses else set())),
        scopes_tripped=len({one.scope_key for one in within(timedelta(minutes=5))}),
        phase=Phase.L3,
        medium_limit=3,
        paused_limit=5,
        storm_limit=8,
    )


@pytest.fixture(scope="module")
def campaign(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """Run the campaign once."""
    chance = random.Random(10)
    prefix = f"t10-{to_ms(datetime.now(NOON.tzinfo))}."
    file = tmp_path_factory.mktemp("t10") / "governance.db"
    topics.ensure(kafka, prefix=prefix)
    log = make_log(chance)
    with StateServiceProcess(
        KAFKA_BOOTSTRAP_SERVERS=kafka,
        GOVERNANCE_TOPIC_PREFIX=prefix,
        GOVERNANCE_DB_PATH=str(file),
    ) as service:
        run(service, kafka, prefix + BREAKER_ACTIONS.name, log, chance=chance, file=file)
    desk = Desk(Store(f"sqlite:///{file}"), settings_for(topic_prefix=prefix), decide)
    yield result(desk, kafka, prefix, log)
    desk.store.close()


def run(
    service: StateServiceProcess,
    kafka: str,
    topic: str,
    log: Sequence[BreakerAction],
    *,
    chance: random.Random,
    file: Path,
) -> None:
    """Send the log; kill the service twenty times while it applies it; then let it end."""
    send(kafka, topic, log)
    progress = Progress(file, topic, length=len(log))
    for _ in range(KILLS):
        service.start()
        progress.wait_beyond(chance.choice((0, 0, 1, 100)))
        time.sleep(chance.uniform(0, 0.3))  # a kill comes at any moment
        service.kill()
    service.start()
    progress.wait_until_drained()
    assert service.stop() == 0
    progress.close()


def send(kafka: str, topic: str, log: Sequence[BreakerAction]) -> None:
    """Append *log* to the topic."""
    producer: Any = KafkaProducer(bootstrap_servers=kafka)
    for action in log:
        producer.send(topic, action.to_bytes(), key=action.scope_key.encode())
    producer.flush()
    producer.close()


class Progress:
    """Watches from outside how far the service is."""

    def __init__(self, file: Path, topic: str, *, length: int) -> None:
        self._store = Store(f"sqlite:///{file}")
        self._store.migrate()
        self._topic = topic
        self._length = length

    def wait_beyond(self, records: int) -> None:
        """Wait until so many more records were applied than now, or all; not at all for 0."""
        goal = min(self._applied() + records, self._length)
        self._wait(lambda: self._applied() >= goal)

    def wait_until_drained(self) -> None:
        """Wait until all records were applied and all that follows was published."""
        self._wait(lambda: self._applied() == self._length and self._waiting() == 0)

    def close(self) -> None:
        """Stop watching."""
        self._store.close()

    def _wait(self, done: Callable[[], bool]) -> None:
        """Look again and again."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, "the service makes no progress"
            time.sleep(0.01)

    def _applied(self) -> int:
        with self._store.reading() as unit:
            return unit.offsets.next_offset(self._topic, 0) or 0

    def _waiting(self) -> int:
        with self._store.reading() as unit:
            return unit.outbox.waiting()[0]


def result(desk: Desk, kafka: str, prefix: str, log: list[BreakerAction]) -> Campaign:
    """Read what came of it."""
    events = handlers.list_events(desk, limit=10_000)
    with desk.store.reading() as unit:
        acts = Counter(row[3] for row in unit.audit.rows())
        rows = unit.outbox.after(0, topics=[ALERTS.name, STATE.name, RULES.name], limit=100_000)
    return Campaign(
        log=log,
        events={event.id: event.caused_by for event in events},
        state=handlers.show_state(desk),
        audit=handlers.verify_audit(desk),
        acts=acts,
        published=published(kafka, prefix),
        stored=[row.seq for row in rows],
    )


def published(kafka: str, prefix: str) -> list[tuple[int, int]]:
    """Return (partition of alerts, outbox number) of all that was published, in log order."""
    consumer: Any = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    places = [
        TopicPartition(prefix + topic.name, number)
        for topic in (ALERTS, STATE, RULES)
        for number in range(topic.partitions)
    ]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    found: list[tuple[int, int]] = []
    while any(consumer.position(place) < ends[place] for place in places):
        for place, records in consumer.poll(timeout_ms=1_000).items():
            where = places.index(place)
            found += [(where, int(dict(record.headers)["outboxSeq"])) for record in records]
    consumer.close()
    return found


def test_each_action_is_one_event(campaign: Campaign) -> None:
    """A thousand actions, delivered thousands of times across twenty kills: a thousand events."""
    trips = {name for name, cause in campaign.events.items() if cause is None}
    assert trips == {action.id for action in campaign.log}
    assert len(trips) == ACTIONS
    assert campaign.acts["trip.applied"] == ACTIONS


def test_each_effect_happens_once(campaign: Campaign) -> None:
    """The state is what plain Python makes of the log: every lowering counted exactly once."""
    expected = expect(campaign.log)
    assert campaign.state.autonomy_epoch == expected.epoch
    assert set(campaign.state.paused_command_types) == expected.paused
    assert campaign.acts["escalation.raised"] == expected.raised.total()


def test_the_audit_chain_is_contiguous(campaign: Campaign) -> None:
    """No kill left a gap or a fork in the audit log."""
    assert campaign.audit.intact, campaign.audit.problem
    assert campaign.audit.rows == campaign.acts.total()


def test_nothing_that_was_to_be_told_is_lost(campaign: Campaign) -> None:
    """Every row of the outbox is on Kafka, and hardly any twice."""
    counted = Counter(number for _, number in campaign.published)
    assert sorted(counted) == campaign.stored
    repeats = counted.total() - len(counted)
    assert repeats <= KILLS, f"{repeats} repeats after {KILLS} kills"


def test_what_is_told_keeps_its_order(campaign: Campaign) -> None:
    """Within each partition, and so for each key, records are in the order of the commits."""
    for where in {place for place, _ in campaign.published}:
        numbers = [number for place, number in campaign.published if place == where]
        first_seen = list(dict.fromkeys(numbers))
        assert first_seen == sorted(first_seen)
