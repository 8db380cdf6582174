"""The state service: one writer, its threads, and how it is.

breaker-actions ──► consumer ─┐                    ┌─► outbox relay ──► rules, state, alerts
tallies ──► tally consumer ───┼──► the database ───┤
HTTP ──► handlers ────────────┘                    └─► feed ──► server-sent events, the log

Of several on one database one is active and does all of this; a standby reads, lowers autonomy when
people ask it to, and waits to take over.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from governance import handlers
from governance.chronicle import Chronicle
from governance.clock import Clock, wall_clock
from governance.consumer import ActionConsumer
from governance.cycle_watch import CycleWatch
from governance.desk import Desk
from governance.feed import Feed
from governance.frontier import Frontiers
from governance.health import Check, Health, Standing, milliseconds
from governance.kafka.transactions import TransactionWatch
from governance.kafka_reader import Pulse
from governance.ladder_watch import LadderWatch
from governance.leadership.election import Election
from governance.leadership.follower import FrontierFollower
from governance.leadership.process import this_holder
from governance.leadership.standing import check_lease, standing_of
from governance.lookout import Lookout, blindness
from governance.loop import Loop
from governance.metrics import PeriodMetrics
from governance.outbox import OutboxRelay
from governance.partitions import PartitionWatch
from governance.readiness_watch import ReadinessWatch
from governance.store import Store
from governance.store.fence import Fence
from governance.store_keeper import StoreKeeper
from governance.tallies import TallyConsumer
from governance.topics_watch import TopicsWatch
from governance.upkeep_watch import UpkeepWatch
from rules.escalation import EscalationEngine
from schemas.errors import BadSetting, GovernanceError, Unavailable
from schemas.settings import Settings
from schemas.tallies import OTHER, OVERALL, Counts

log = logging.getLogger(__name__)

DRAIN: Final = 10.0
"""Seconds that a stop takes at most; what was not done then is done after the next start."""

STALE: Final = 10.0
"""Seconds without an answer from Kafka after which it counts as away."""

LOOKED: Final = 1.0
"""Seconds between two looks for news of other processes."""

REMEMBERED: Final = timedelta(hours=1)
"""How long an unreadable record is held against the stream."""


class StateService:
    """Owns the database, the handlers' desk, and the threads; safe to ask from any thread.

    The topics must be there when it starts. `start` may take as long as a migration does.
    """

    def __init__(self, settings: Settings, clock: Clock = wall_clock) -> None:
        """Make the service; nothing is opened or started yet.

        Raises:
            BadSetting: no Kafka is named.
        """
        if settings.kafka_bootstrap_servers is None:
            raise BadSetting("KAFKA_BOOTSTRAP_SERVERS", "the state service needs a Kafka")
        self.settings = settings
        self.store = Store(settings.sql_url)
        self.frontiers = Frontiers()
        self.desk = Desk(
            self.store,
            settings,
            EscalationEngine().decide,
            clock,
            self.metrics_between,
            blindness=self.blindness,
            judges=self.frontiers.in_use,
        )
        self.feed = Feed(self.store)
        self._servers = settings.kafka_bootstrap_servers
        self.consumer = ActionConsumer(
            self.desk,
            self._servers,
            self.frontiers,
            is_stopping=lambda: self._applying.is_stopping or not self.is_active,
        )
        self.tallies = TallyConsumer(self.desk, self._servers)
        self._make_loops()

    def _make_loops(self) -> None:
        """Make the threads, none of which runs yet."""
        self.topics = TopicsWatch(
            self.desk,
            self._servers,
            self.frontiers,
            wait=lambda seconds: self._comparing.wait(seconds),
        )
        self._comparing = self._led(
            "topics", self.topics.turn, reset=self.topics.close, rest=self.topics.stand_by
        )
        self.relay = OutboxRelay(
            self.desk,
            self._servers,
            is_stopping=lambda: self._relaying.is_stopping or not self.is_active,
            may_publish=lambda: self.topics.may_publish and not self.store.is_foreign,
        )
        self.lookout = Lookout(
            self.desk,
            self.frontiers,
            wait=lambda seconds: self._looking.wait(seconds),
            held_by=lambda: self.transactions.found,
        )
        self.transactions = TransactionWatch(
            self.desk,
            self.frontiers,
            self._servers,
            wait=lambda seconds: self._waiting.wait(seconds),
        )
        self._waiting = Loop("transactions", self.transactions.turn, reset=self.transactions.close)
        self._make_leadership()
        self._applying = self._led("apply", self.consumer.turn, reset=self.consumer.close)
        self._tallying = self._led(
            "tallies", self.tallies.turn, reset=self.tallies.close, rest=self.tallies.forget
        )
        self._relaying = self._led(
            "outbox", self.relay.turn, reset=self.relay.close, rest=self.relay.abandon
        )
        self._looking = self._led("lookout", self.lookout.turn)
        self.readiness = ReadinessWatch(
            self.desk,
            wait=lambda seconds: self._assessing.wait(seconds),
            is_stopping=lambda: self._assessing.is_stopping,
        )
        self._assessing = self._led("readiness", self.readiness.turn)
        self._climbing = self._led(
            "ladder",
            LadderWatch(self.desk, wait=lambda seconds: self._climbing.wait(seconds)).turn,
        )
        cycle = CycleWatch(self.desk, wait=lambda seconds: self._cycling.wait(seconds))
        self._cycling = self._led("cycle", cycle.turn)
        keeper = StoreKeeper(self.store, wait=lambda seconds: self._keeping.wait(seconds))
        self._keeping = Loop("keeper", keeper.turn)
        upkeep = UpkeepWatch(
            self.desk,
            wait=lambda seconds: self._upkeeping.wait(seconds),
            is_stopping=lambda: self._upkeeping.is_stopping,
        )
        self._upkeeping = self._led("upkeep", upkeep.turn)
        self.partitions = PartitionWatch(
            self.desk.settings,
            self._servers,
            judges=self.frontiers.judges,
            wait=lambda seconds: self._counting.wait(seconds),
        )
        self._counting = Loop("partitions", self.partitions.turn, reset=self.partitions.close)
        self._chronicle = Chronicle(self.feed)
        self._telling = self._led("chronicle", self._chronicle.turn, rest=self._chronicle.rest)
        self._loops = (
            self._following,
            self._feeding,
            self._applying,
            self._tallying,
            self._looking,
            self._waiting,
            self._assessing,
            self._climbing,
            self._cycling,
            self._keeping,
            self._upkeeping,
            self._comparing,
            self._counting,
            self._telling,
            self._relaying,
        )

    def _make_leadership(self) -> None:
        """Make what decides whether this service is active, and what a standby does."""
        self.fence = Fence(this_holder(self.settings, self.desk.clock()))
        self.election = Election(
            self.store,
            self.fence,
            begin=self._begin_term,
            wait=lambda seconds: self._leading.wait(seconds),
        )
        self._leading = Loop("lease", self.election.turn)
        self.follower = FrontierFollower(self.desk, self._servers, self.frontiers)
        self._following = Loop(
            "standby",
            self.follower.turn,
            reset=self.follower.close,
            may_run=lambda: not self.is_active,
        )
        self._feeding = Loop("feed", self._look_at_feed)

    def _led(
        self,
        name: str,
        turn: Callable[[], None],
        *,
        reset: Callable[[], None] = lambda: None,
        rest: Callable[[], None] | None = None,
    ) -> Loop:
        """Return a thread that runs in the active service only."""
        return Loop(name, turn, reset=reset, rest=rest, may_run=lambda: self.is_active)

    def _look_at_feed(self) -> None:
        """Look for what another process has committed, then wait."""
        self.feed.look()
        self._feeding.wait(LOOKED)

    @property
    def is_active(self) -> bool:
        """Whether this service is the active one on its database, as one is before it starts."""
        return self.store.fence is None or self.election.is_active

    def standing(self) -> Standing:
        """Return which service this is, and which one is active."""
        return standing_of(self.fence, is_active=self.is_active)

    def start(self) -> None:
        """Bring the database up to date, take the lease if it is free, and start the threads.

        Raises:
            BadSetting: the database was made by a newer version, or is damaged.
            Unavailable: the database does not answer.
        """
        self.store.migrate(thoroughly=True)
        self.store.fence = self.fence
        self.election.try_to_stand()
        for loop in (*self._loops, self._leading):
            loop.start()
        log.info("Starting periodic governance metrics updates")

    def _begin_term(self) -> None:
        """Do what comes first in the active service: create what a new installation lacks."""
        if handlers.create(self.desk, os.environ):
            log.info("a new installation: phase L3, default rules")
        if handlers.sum_up_minutes(self.desk):
            log.info("summed up minutes that an older version left")
        self._note_tokens()
        self._chronicle.begin()
        self.lookout.begin()

    def _note_tokens(self) -> None:
        """Read the audit log once, and note what an older version did not tell of tokens."""
        try:
            if count := handlers.note_tokens(self.desk):
                log.info("noted the secrets of %s tokens that an older version made", count)
        except Unavailable as error:
            log.warning("tokens of an older version are not noted yet: %s", error)

    def stop(self) -> None:
        """Stop the threads, the relay and then the lease last; at most ten seconds."""
        deadline = time.monotonic() + DRAIN
        for loop in self._loops:
            if loop is self._relaying:
                self._drain(deadline - 3)
            loop.ask_to_stop()
            self.relay.wake()
        for loop in self._loops:
            if not loop.join(deadline - time.monotonic()):
                log.warning("a thread did not end in time; nothing is lost by that")
        self._leading.ask_to_stop()
        self._leading.join(max(0.5, deadline - time.monotonic()))
        self.election.resign(deadline)
        self.store.close()

    def _drain(self, deadline: float) -> None:
        """Give the relay time to publish what the others left behind."""
        for loop in self._loops[:-1]:
            loop.join(deadline - time.monotonic())
        while time.monotonic() < deadline and not self._is_published():
            self.relay.wake()
            self._relaying.wait(0.05)

    def _is_published(self) -> bool:
        """Whether the outbox is empty, or cannot be emptied now, or not by us."""
        held = not self.is_active or not self.topics.may_publish
        if held or self._relaying.trouble is not None or self.relay.waiting_for_kafka:
            return True
        try:
            with self.store.reading() as unit:
                return unit.outbox.waiting()[0] == 0
        except GovernanceError:
            return True

    def metrics_between(
        self, start: datetime, end: datetime, *, scope: str = OVERALL
    ) -> PeriodMetrics:
        """Return counts and rates from *start* to *end*, by whole minutes of event time.

        ``scope`` is ``*`` or ``commandType=X``. What was counted a moment ago is in it.

        Raises:
            Unavailable: the database does not answer.
        """
        return self.tallies.metrics(start, end, scope=scope)

    def counted_since_start(self) -> Counts:
        """Return what was counted since this process began: what counters export."""
        return self.tallies.counted_since_start()

    def frontier_age(self) -> timedelta | None:
        """Return how far the judges are behind, or None before all of them reported."""
        return self.frontiers.age(self.desk.clock())

    def blindness(self) -> str | None:
        """Return why nobody sees the stream now, or None."""
        return blindness(
            self.desk, self.frontiers, self.desk.clock(), held_by=self.transactions.found
        )

    def health(self) -> dict[str, Check]:
        """Return how each part is; quick, and never raises for a part that is down."""
        return {
            "lease": self._lease(),
            "database": self._database(),
            "kafka": self._kafka(),
            "stream": self._stream(),
            "outbox": self._outbox(),
            "rules": self._rules(),
            "partitions": self.partitions.check,
        }

    def _lease(self) -> Check:
        """Say whether somebody is active: this service, or one that is heard of."""
        if self.store.fence is None:
            return Check(status=Health.HEALTHY)
        return check_lease(self.fence, self.election, fault=self._leading.trouble)

    def _database(self) -> Check:
        """Say whether the database answers."""
        began = time.monotonic()
        try:
            with self.store.reading() as unit:
                unit.autonomy.is_there()
            replaced = self.store.replaced()
        except GovernanceError as error:
            return Check(status=Health.UNHEALTHY, message=str(error))
        taken = milliseconds(timedelta(seconds=time.monotonic() - began))
        if replaced is not None:
            return Check(status=Health.UNHEALTHY, message=replaced.detail, latency=taken)
        trouble = self.store.trouble
        if trouble is not None:
            return Check(status=Health.DEGRADED, message=trouble.detail, latency=taken)
        return Check(status=Health.HEALTHY, latency=taken)

    def _kafka(self) -> Check:
        """Say whether Kafka answers, and how fast it last did."""
        pulse: Pulse | None = self.consumer.pulse or self.follower.pulse
        if pulse is None or time.monotonic() - pulse.at > STALE:
            return Check(
                status=Health.UNHEALTHY,
                message=self._applying.trouble or self._following.trouble or self._unread(pulse),
                bootstrap_servers=self._servers,
            )
        return Check(
            status=Health.HEALTHY,
            latency=milliseconds(timedelta(seconds=pulse.latency)),
            bootstrap_servers=self._servers,
        )

    def _unread(self, pulse: Pulse | None) -> str:
        """Say why Kafka was not heard of lately: the thread that reads it may wait itself."""
        trouble = self.store.trouble
        if pulse is None or trouble is None:
            return "Kafka does not answer"
        return f"nothing is read before what was read is applied: {trouble}"

    def _stream(self) -> Check:
        """Say whether the judges see what executors do, and whether their actions arrive."""
        now = self.desk.clock()
        reason = self.blindness() or self._applying.trouble
        age = self.frontiers.age(now)
        latency = None if age is None else milliseconds(age)
        if reason is not None:
            return Check(status=Health.UNHEALTHY, message=reason, latency=latency)
        bad = self.consumer.malformed
        if bad.at is not None and now - bad.at < REMEMBERED:
            said = f"{bad.count} unreadable records on breaker-actions; the last at {bad.last}"
            return Check(status=Health.DEGRADED, message=said, latency=latency)
        if overflowed := self.frontiers.overflowed():
            said = (
                f"{overflowed} distinct command types or label values are beyond "
                f"GOVERNANCE_SCOPE_LIMIT and count together as {OTHER}; find the producer that "
                f"makes them up, or raise the limit"
            )
            return Check(status=Health.DEGRADED, message=said, latency=latency)
        return Check(status=Health.HEALTHY, latency=latency)

    def _outbox(self) -> Check:
        """Say whether rules, state and alerts reach Kafka."""
        try:
            with self.store.reading() as unit:
                count, oldest = unit.outbox.waiting()
                refused = unit.outbox.count_refused()
                first = unit.outbox.refused(1)
        except GovernanceError as error:
            return Check(status=Health.DEGRADED, message=str(error))
        if first:
            said = (
                f"Kafka does not take {refused} record(s), which wait aside: {first[0].why}; "
                f"raise max.message.bytes of the topic, or see docs/operations.md"
            )
            return Check(status=Health.UNHEALTHY, message=said)
        if self.topics.last.conflict:
            return Check(status=Health.UNHEALTHY, message=self.topics.last.conflict)
        if self._comparing.trouble:
            said = f"rules and state cannot be compared with Kafka's: {self._comparing.trouble}"
            return Check(status=Health.DEGRADED, message=said)
        trouble = self._relaying.trouble
        if self.relay.waiting_for_kafka:
            trouble = trouble or "Kafka does not acknowledge"
        if count and not self.is_active:
            said = f"{count} records wait since {oldest}; the active service tells them"
            return Check(status=Health.HEALTHY, message=said)
        if trouble and count:
            said = f"{count} records wait since {oldest}: {trouble}"
            return Check(status=Health.DEGRADED, message=said)
        return Check(status=Health.HEALTHY)

    def _rules(self) -> Check:
        """Say whether every rule that people wrote is in force, and judged by."""
        try:
            entries = handlers.list_rules(self.desk)
            unjudged = handlers.list_unjudged_rules(self.desk)
        except GovernanceError as error:
            return Check(status=Health.DEGRADED, message=str(error))
        found = unjudged | {entry.name: entry.problem for entry in entries if entry.problem}
        wrong = "; ".join(f"{name}: {problem}" for name, problem in sorted(found.items()))
        if unjudged:
            return Check(status=Health.UNHEALTHY, message=wrong)
        return Check(status=Health.DEGRADED if wrong else Health.HEALTHY, message=wrong or None)
