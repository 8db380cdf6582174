"""The whole product in one process, for stories that take months: a set clock, and no Kafka.

    commands ──► Tally ──► Judge ──► state service ──► HTTP
                   ▲         ▲            │
                   └─ rules, resolutions ─┘

Everything is the product's own: the pure halves of the stream, both consumers, the watches that
the service's threads run, the application in token mode. Only the topics are lists, and time
passes when the story says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.callers import Role, Scope
from governance.cycle_watch import CycleWatch
from governance.ladder_watch import LadderWatch
from governance.readiness_watch import ReadinessWatch
from governance.service import StateService
from governance.upkeep_watch import UpkeepWatch
from schemas.actions import Frontier
from schemas.governance import STATE_TOPIC, ProtectionRecord, ResolutionRecord, StateRecord
from schemas.rules import RuleVersion
from schemas.settings import Settings
from schemas.topics import BREAKER_ACTIONS, COMMAND_EVENTS, RULES, STATE, TALLIES
from schemas.wire import from_ms, to_ms
from streams.batch import Batch, Output
from streams.control import entry_of, protection_of
from streams.judge import Judge, Resolution
from streams.tally import Tally
from tests.desks import SetClock

HOME: Final = "http://governance.example:4007"

Record = tuple[datetime, bytes]
"""When Kafka took it, and what it says; an empty one is a tick."""


TICK: Final = timedelta(milliseconds=200)
"""After a record that nothing follows, a worker moves the clock of a quiet log by a tick."""


class Topics:
    """Topics of one partition each, as lists; by name without prefix."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.topic("")
        self._records: dict[str, list[bytes]] = {}
        self._heard: dict[str, int] = {}

    def append(self, topic: str, value: bytes) -> None:
        """Add a record."""
        self.all(topic).append(value)

    def all(self, topic: str) -> list[bytes]:
        """Return every record of a topic, oldest first."""
        return self._records.setdefault(topic, [])

    def news(self, topic: str) -> list[bytes]:
        """Return the records of a topic that were not asked for before."""
        records, heard = self.all(topic), self._heard.get(topic, 0)
        self._heard[topic] = len(records)
        return records[heard:]

    def reader(self, servers: str, topic: str, **wanted: Any) -> Reader:
        """Return a reader in the place of a `KafkaReader`."""
        del servers
        start = wanted["next_offset"](0) or 0
        return Reader(self.all(topic.removeprefix(self._prefix)), start)


class Reader:
    """Reads a topic from an offset on."""

    pulse = None

    def __init__(self, records: list[bytes], start: int) -> None:
        self._records, self._next = records, start

    def poll(self, limit: int) -> dict[int, list[Any]]:
        """Return all that is new, however much: one turn reads to the end."""
        del limit
        first, self._next = self._next, len(self._records)
        found = [
            SimpleNamespace(offset=number, value=self._records[number])
            for number in range(first, self._next)
        ]
        return {0: found} if found else {}

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


class Stream:
    """A worker's pure halves over one partition, between two sets of topics."""

    def __init__(self, topics: Topics, source: str) -> None:
        self._topics = topics
        self._tally = Tally(0, tally_partitions=1, topic=source)
        self._judge = Judge(0, source_partitions=1, topic=source)
        self._tallied = 0

    def take(self, records: Iterable[Record]) -> None:
        """Count and judge *records*, knowing all that people decided until then."""
        self._hear()
        times, values = zip(*records, strict=True)
        start = self._tally.pos
        offsets = range(start, start + len(values))
        clocks = [to_ms(time) for time in times]
        batch = Batch(0, offsets, clocks, list(values), [None] * len(values))
        for output in self._tally.fold(batch):
            self._topics.append(output.topic, output.value)
        self._judge_tallies()

    def _judge_tallies(self) -> None:
        """Judge what was counted, and say how far."""
        fresh = self._topics.all(TALLIES.name)[self._tallied :]
        offsets = range(self._tallied, self._tallied + len(fresh))
        self._tallied += len(fresh)
        judged: list[Output] = self._judge.fold(Batch(0, offsets, [0] * len(fresh), fresh, fresh))
        for output in judged:
            self._topics.append(output.topic, output.value)
        if self._judge.first is not None:
            until = from_ms(self._judge.at)
            said = Frontier(partition=0, partitions=1, judged_until=until, worker="w-0")
            self._topics.append(BREAKER_ACTIONS.name, said.to_bytes())

    def _hear(self) -> None:
        """Hear of rules, resolutions and epochs, as a worker does before it goes on."""
        versions = map(RuleVersion.model_validate_json, self._topics.news(RULES.name))
        entries = [entry_of(version) for version in versions]
        records = [STATE_TOPIC.validate_json(value) for value in self._topics.news(STATE.name)]
        protections = [protection_of(one) for one in records if isinstance(one, ProtectionRecord)]
        self._tally.learn([*entries, *protections])
        self._judge.learn(
            entries,
            [_resolution(one) for one in records if isinstance(one, ResolutionRecord)],
            [
                (one.autonomy_epoch, one.effective_from)
                for one in records
                if isinstance(one, StateRecord)
            ],
        )


def _resolution(record: ResolutionRecord) -> Resolution:
    """Return a resolution as a judge hears of it."""
    return Resolution(record.action_id, record.rule, record.scope_key, record.effective_from)


class Plant:
    """An installation, its people, and its clock."""

    def __init__(self, settings: Settings, start: datetime) -> None:
        self.clock = SetClock(start)
        self.settings = settings
        self.topics = Topics(settings)
        self._stream = Stream(self.topics, settings.topic(COMMAND_EVENTS.name))
        self._tokens: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        self._edges = pytest.MonkeyPatch()
        self._running = ExitStack()

    def __enter__(self) -> Plant:
        """Open the plant."""
        for reads in ("governance.consumer", "governance.tallies"):
            self._edges.setattr(f"{reads}.KafkaReader", self.topics.reader)
        self._edges.setattr("governance.tallies.FLUSH", -1.0)  # months pass in seconds here
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._running.close()
        self._edges.undo()

    def be_off_until(self, now: datetime) -> None:
        """Stop the service, and start another process at *now*: it knows the database only."""
        self._running.close()
        self.clock.now = now
        self._start()

    def _start(self) -> None:
        """Start the service, but none of its threads: the story takes their turns."""
        self.service = StateService(self.settings, clock=self.clock)
        self.service.store.migrate()
        handlers.create(self.service.desk)
        self._running.callback(self.service.store.close)
        app = create_app(self.service, self.settings)
        self._client = self._running.enter_context(TestClient(app, base_url=HOME))
        self._upkeep = UpkeepWatch(self.service.desk, wait=_at_once, is_stopping=lambda: False)
        self._relay()

    # ------------------------------------------------------------------------------ people

    def invite(self, name: str, *roles: Role, scopes: tuple[Scope, ...] = ()) -> None:
        """Give somebody a token."""
        made = handlers.create_token(self.service.desk, name, roles, by="root", scopes=scopes)
        self._tokens[name] = made[1]

    def get(self, who: str, path: str, **wanted: str) -> Any:
        """Return what *who* reads."""
        answer = self._ask(who, "GET", path, params=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, who: str, path: str, **body: Any) -> Any:
        """Return what *who* is answered: it is done, or waits for a second person."""
        answer = self._ask(who, "POST", path, json=body)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def refused(self, who: str, path: str, **body: Any) -> str:
        """Return the problem that *who* is told of."""
        answer = self._ask(who, "POST", path, json=body)
        assert 400 <= answer.status_code < 500, answer.text
        code: str = answer.json()["code"]
        return code

    def together(self, one: str, other: str, path: str, **body: Any) -> Any:
        """Let *one* ask for what takes two people and *other* sign it; return what came of it."""
        asked = self.post(one, path, **body)
        assert asked["waiting"], asked
        act = asked["jointAct"]["id"]
        return self.post(other, f"/api/governance/joint-acts/{act}/countersign")["outcome"]

    def _ask(self, who: str, method: str, path: str, **more: Any) -> Any:
        """Ask as *who*, and let Kafka be told what came of it."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        answer = self._client.request(method, path, headers=headers, **more)
        self.asked.append((who, method, path))
        self._relay()
        return answer

    # -------------------------------------------------------------------------------- time

    def work(self, records: list[Record]) -> None:
        """Let executors do something; what follows of it is applied a moment later."""
        self._take([*records, (records[-1][0] + TICK, b"")])

    def _take(self, records: list[Record]) -> None:
        """Let the log go on by *records*, and the clock with it."""
        self.clock.now = records[-1][0]
        self._stream.take(records)
        self.service.tallies.turn()
        self.service.consumer.turn()
        self._relay()

    def go_to(self, now: datetime) -> None:
        """Let nothing happen until *now*; the stream sees that it does."""
        self._take([(now, b"")])

    def look(self, now: datetime) -> None:
        """Let every watch of the service take its turn at *now*, just after Prometheus asked."""
        self.go_to(now)
        assert self._ask("prometheus", "GET", "/metrics").status_code == 200
        desk = self.service.desk
        LadderWatch(desk, wait=_at_once).turn()
        ReadinessWatch(desk, wait=_at_once, is_stopping=lambda: False).turn()
        self._look_at_the_calendar()
        self._upkeep.turn()
        self._relay()

    def _look_at_the_calendar(self) -> None:
        """Take turns at the weekly cycle until no week is due."""
        looks: list[float] = []
        cycle = CycleWatch(self.service.desk, wait=looks.append)
        while not looks:
            cycle.turn()

    def _relay(self) -> None:
        """Publish what the service wrote for Kafka."""
        store = self.service.store
        with store.reading() as unit:
            rows = unit.outbox.unpublished(1_000)
        for row in rows:
            self.topics.append(row.topic, row.value.encode())
        if rows:
            with store.writing() as unit:
                unit.outbox.mark_published([row.seq for row in rows], self.clock())


def _at_once(seconds: float) -> None:
    """Wait in no time: the story says what time it is."""
