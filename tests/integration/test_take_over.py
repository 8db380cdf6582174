"""Two services under fire: killed, stopped and continued in the middle of traffic.

One campaign for each database: actions are sent, some of them twice, and tallies are counted, while
the active service is taken down again and again and the other one takes over. Afterwards each
action was applied once, each command counted once, and Kafka was told everything.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from embedded import topics
from governance import handlers
from governance.desk import Desk
from governance.leadership.lease import Lease
from governance.store import Store
from rules.escalation_reference import decide
from schemas.actions import BreakerAction
from schemas.events import Severity
from schemas.governance import STATE_TOPIC, StateRecord
from schemas.rules import Action
from schemas.settings import Settings
from schemas.tallies import Column, Cut, Cuts, Row
from schemas.topics import ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES
from schemas.wire import to_ms
from tests.desks import NOON, settings_for, trip
from tests.state_service_process import StateServiceProcess

pytestmark = pytest.mark.integration

KILL, HANG, STOP = "kill", "hang", "stop"
SHORT = [KILL, HANG, KILL, STOP, KILL, HANG, KILL]
LONG = [KILL, HANG, KILL, HANG, STOP] * 10
PROMISED = 10.0
"""Seconds within which the other one takes over."""

PATIENCE = 120.0
"""Seconds to wait for what takes a few on an idle machine."""

PACE = threading.Event()
"""Never set."""


class Traffic(threading.Thread):
    """Sends actions and counts without a pause, until it is told to end."""

    def __init__(self, kafka: str, prefix: str) -> None:
        super().__init__(name="traffic", daemon=True)
        self._producer: Any = KafkaProducer(bootstrap_servers=kafka)
        self._prefix = prefix
        self._ended = threading.Event()
        self._chance = random.Random(10)
        self.sent: list[BreakerAction] = []
        self.commands = 0

    def run(self) -> None:
        """Send about fifty actions a second, some of them again, and a cut of tallies each."""
        while not self._ended.wait(0.02):
            self._act()
            self._count()
        self._producer.flush()
        self._producer.close()

    def end(self) -> None:
        """Send what is on its way, and end."""
        self._ended.set()
        self.join()

    def _act(self) -> None:
        """Send a new action, or an old one again."""
        if self.sent and self._chance.random() < 0.3:
            action = self._chance.choice(self.sent[-50:])
        else:
            action = self._new()
            self.sent.append(action)
        self._producer.send(self._prefix + BREAKER_ACTIONS.name, action.to_bytes(), key=b"*")

    def _new(self) -> BreakerAction:
        """Return an action that nobody has seen."""
        kinds = (
            (Action.ALERT_ONLY, Severity.LOW),
            (Action.PAUSE_COMMAND_TYPE, Severity.HIGH),
            (Action.REVERT_TO_L3, Severity.CRITICAL),
        )
        kind, severity = self._chance.choices(kinds, weights=(6, 3, 1))[0]
        moment = NOON + timedelta(seconds=40 * len(self.sent))
        return trip(f"TYPE_{len(self.sent) % 5}", kind, severity, decided_at=moment)

    def _count(self) -> None:
        """Count one command that succeeded."""
        upto = to_ms(NOON) + 100 * (self.commands + 1)
        rows = [Row("*", [(upto // 1_000, [(Column.SUCCEEDED, 1)])], [])]
        cuts = Cuts(0, [Cut(upto - 100, upto, 1, rows)])
        self._producer.send(self._prefix + TALLIES.name, msgspec.msgpack.encode(cuts), partition=0)
        self.commands += 1


@dataclass
class Campaign:
    """What was done, and what came of it."""

    desk: Desk
    traffic: Traffic
    kafka: str
    prefix: str
    took: dict[str, list[float]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """Return the topic of the actions."""
        return self.prefix + BREAKER_ACTIONS.name

    def lease(self) -> Lease:
        """Return the lease as it stands."""
        with self.desk.store.reading() as unit:
            return unit.lease.read()

    def until(self, done: Callable[[], bool]) -> float:
        """Wait until *done*; return for how many seconds."""
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < PATIENCE, "it does not happen"
            PACE.wait(0.05)
        return time.monotonic() - began

    def applied(self) -> int:
        """Return the offset up to which actions were applied."""
        with self.desk.store.reading() as unit:
            return unit.offsets.next_offset(self.topic, 0) or 0

    def is_drained(self) -> bool:
        """Whether all actions are applied, all counts are written, and all is told."""
        with self.desk.store.reading() as unit:
            known = unit.events.count() and self.applied() == end_of(self.kafka, self.topic)
            counted = unit.minutes.total(NOON, NOON + timedelta(days=1))[Column.SUCCEEDED]
            return bool(
                known and counted >= self.traffic.commands and unit.outbox.waiting()[0] == 0
            )


def end_of(kafka: str, topic: str) -> int:
    """Return the end of a topic's first partition."""
    consumer: Any = KafkaConsumer(bootstrap_servers=kafka)
    place = TopicPartition(topic, 0)
    end = int(consumer.end_offsets([place])[place])
    consumer.close()
    return end


@pytest.fixture(
    scope="module",
    params=[
        ("sqlite", SHORT),
        ("postgresql", SHORT),
        pytest.param(("sqlite", LONG), marks=pytest.mark.chaos),
        pytest.param(("postgresql", LONG), marks=pytest.mark.chaos),
    ],
    ids=["sqlite", "postgresql", "sqlite-50", "postgresql-50"],
)
def campaign(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Campaign]:
    """Run the campaign once for each database."""
    kind, blows = request.param
    prefix = f"take-over-{kind}-{len(blows)}-{to_ms(datetime.now(UTC))}."
    topics.ensure(kafka, prefix=prefix)
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "GOVERNANCE_TOPIC_PREFIX": prefix,
        "GOVERNANCE_DB_PATH": str(tmp_path_factory.mktemp("take-over") / "governance.db"),
    }
    url = f"sqlite:///{environment['GOVERNANCE_DB_PATH']}"
    if kind == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue("shared_postgres_url")
        url = Settings(_env_file=None, database_url=environment["DATABASE_URL"]).sql_url
    store = Store(url)
    store.migrate()
    found = Campaign(
        Desk(store, settings_for(topic_prefix=prefix), decide),
        Traffic(kafka, prefix),
        kafka,
        prefix,
    )
    with ExitStack() as stack:
        pair = [stack.enter_context(StateServiceProcess(**environment)) for _ in range(2)]
        run(found, pair, blows)
    yield found
    store.close()


def run(campaign: Campaign, pair: list[StateServiceProcess], blows: list[str]) -> None:
    """Take the active one down, again and again; then let both end well."""
    chance = random.Random(7)
    for service in pair:
        service.start()
    campaign.until(lambda: campaign.lease().holder is not None)
    campaign.traffic.start()
    try:
        for blow in blows:
            goal = campaign.applied() + 1
            campaign.until(lambda: campaign.applied() >= goal)  # noqa: B023 - this round only
            PACE.wait(chance.uniform(0, 0.5))
            campaign.took.setdefault(blow, []).append(strike(campaign, pair, blow))
    finally:
        campaign.traffic.end()
    campaign.until(campaign.is_drained)
    for service in pair:
        assert service.stop() == 0
    sys.stdout.write(f"\ntook over after {campaign.took} s, {len(campaign.traffic.sent)} actions\n")


def strike(campaign: Campaign, pair: list[StateServiceProcess], blow: str) -> float:
    """Take the active one down and bring it back; return after how long the other had the lease."""
    before = campaign.lease()
    assert before.holder is not None
    active = next(one for one in pair if one.pid == before.holder.pid)
    down: dict[str, Callable[[], object]] = {
        KILL: active.kill,
        HANG: active.pause,
        STOP: active.stop,
    }
    down[blow]()

    def is_replaced() -> bool:
        now = campaign.lease()
        return now.fencing > before.fencing and now.holder is not None

    taken = campaign.until(is_replaced)
    if blow == HANG:
        wake(active)
    else:
        active.start()
    return taken


def wake(hung: StateServiceProcess) -> None:
    """Let one that hung go on, as a standby; or start it again, if it hung in a write."""
    assert hung.pid is not None
    state = Path(f"/proc/{hung.pid}/stat").read_text().rpartition(")")[2].split()[0]
    if state in "ZX":
        hung.kill()
        hung.start()
    else:
        hung.resume()


def told(campaign: Campaign, topic: str, partitions: int) -> list[Any]:
    """Return every record of a topic, partition by partition in order."""
    consumer: Any = KafkaConsumer(bootstrap_servers=campaign.kafka)
    places = [TopicPartition(campaign.prefix + topic, number) for number in range(partitions)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends, found = consumer.end_offsets(places), []
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=1_000).values():
            found += records
    consumer.close()
    return found


def test_another_takes_over_in_time(campaign: Campaign) -> None:
    """Most within the promised ten seconds, on a machine that does much else; none is left out."""
    for taken in campaign.took.values():
        assert sorted(taken)[len(taken) // 2] < PROMISED
    assert campaign.lease().fencing > len(campaign.took)


def test_each_action_is_applied_once(campaign: Campaign) -> None:
    """Whatever was sent, repeated, and read by both: one event each, and one audit row."""
    with campaign.desk.store.reading() as unit:
        acts = Counter(row[3] for row in unit.audit.rows())
    events = handlers.list_events(campaign.desk, limit=100_000)
    trips = [event.id for event in events if event.caused_by is None]
    assert Counter(trips) == Counter(action.id for action in campaign.traffic.sent)
    assert acts["trip.applied"] == len(campaign.traffic.sent)


def test_each_command_is_counted_once(campaign: Campaign) -> None:
    """No minute is doubled by a service that slept, or lost with one that died."""
    with campaign.desk.store.reading() as unit:
        total = unit.minutes.total(NOON, NOON + timedelta(days=1))
    assert total[Column.SUCCEEDED] == campaign.traffic.commands


def test_the_audit_chain_is_whole(campaign: Campaign) -> None:
    """Both wrote one chain, without a gap or a fork."""
    report = handlers.verify_audit(campaign.desk)
    assert report.intact, report.problem


def test_everything_is_told_at_least_once(campaign: Campaign) -> None:
    """Each row of the outbox is on Kafka."""
    with campaign.desk.store.reading() as unit:
        rows = unit.outbox.after(0, topics=[ALERTS.name, STATE.name, RULES.name], limit=1_000_000)
    records = [
        record
        for topic in (ALERTS, STATE, RULES)
        for record in told(campaign, topic.name, topic.partitions)
    ]
    numbers = {int(dict(record.headers)["outboxSeq"]) for record in records}
    assert {row.seq for row in rows} <= numbers


def test_the_last_state_that_is_told_is_the_newest(campaign: Campaign) -> None:
    """What a service that slept had on its way does not stand last."""
    last = [record for record in told(campaign, STATE.name, 1) if record.key == b"governance"][-1]
    state = STATE_TOPIC.validate_json(last.value)
    assert isinstance(state, StateRecord)
    assert state.autonomy_epoch == handlers.show_state(campaign.desk).autonomy_epoch
