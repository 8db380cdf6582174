"""Workers that are killed and stopped at random, on a real Kafka: nothing lost, nothing twice.

One campaign runs while events pour in, people resolve trips and change rules; then everything on
Kafka is compared with what the oracle makes of the same log, and a fresh worker judges it again.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import pytest

from embedded.topics import ensure
from schemas.events import Severity
from schemas.rules import Action, Rule
from schemas.topics import COMMAND_EVENTS, RULES, STATE, TOPICS
from tests.integration.operators import Operator, soon
from tests.integration.outcomes import Published, published
from tests.integration.topics import configure, copy_topics
from tests.integration.workers import ROOT, SESSION_SECONDS, FrontierReader, Worker
from tests.oracle.conditions import Both, Either, Not, Term, Tree, written
from tests.oracle.laws import Law
from tests.oracle.rulemaking import Draft, law_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_200)]

FAILING: Final = Term("errorRate", ">", "0.08")
MANY: Final = Term("commandType.failures", ">=", "12")
MORE: Final = Term("commandType.failures", ">=", "20")
OVERALL: Final = Both(Term("errorRate", ">", "0.065"), Not(Term("successRate", ">", "0.95")))
AGENTS: Final = Either(Term("rollbackRate", ">", "0.03"), Term("constraintViolations", ">=", "2"))
TREES: Final[dict[str, Tree]] = {
    written(tree): tree for tree in (FAILING, MANY, MORE, OVERALL, AGENTS)
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent, and how often something dies."""

    events: int
    rate: int
    kills: int
    stops: int
    seconds: float
    trips: int = 50
    transactions: bool = False


QUICK: Final = Plan(events=200_000, rate=4_000, kills=20, stops=3, seconds=70)
LONG: Final = Plan(events=1_000_000, rate=3_800, kills=70, stops=10, seconds=300)

# Producers with transactions, which compress, on brokers that pack all of it anew.
SHORT_PACKED: Final = Plan(
    events=24_000, rate=2_400, kills=3, stops=0, seconds=10, trips=10, transactions=True
)
LONG_PACKED: Final = Plan(
    events=400_000, rate=2_400, kills=40, stops=6, seconds=170, transactions=True
)


@dataclass(slots=True)
class Campaign:
    """What a campaign left behind."""

    plan: Plan
    prefix: str
    outcome: Published
    waits: list[float]
    lives: int


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(QUICK, id="quick"),
        pytest.param(SHORT_PACKED, id="transactions"),
        pytest.param(LONG, id="long", marks=[pytest.mark.chaos, pytest.mark.timeout(1_800)]),
        pytest.param(
            LONG_PACKED,
            id="long-transactions",
            marks=[pytest.mark.chaos, pytest.mark.timeout(1_800)],
        ),
    ],
)
def campaign(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Campaign]:
    """Run a campaign, once for all tests of this module."""
    plan: Plan = request.param
    prefix = f"t{uuid.uuid4().hex[:10]}."
    ensure(kafka, prefix=prefix)
    if plan.transactions:
        for topic in TOPICS:
            configure(kafka, f"{prefix}{topic.name}", {"compression.type": "zstd"})
    operator = Operator(kafka, prefix)
    for law in _first_laws():
        operator.publish(law)
    workers = [
        Worker(kafka, prefix, f"{prefix}{number}", tmp_path_factory.mktemp("worker"))
        for number in range(2)
    ]
    try:
        waits = _run(kafka, prefix, plan, workers, operator)
    except AssertionError as error:
        said = "\n".join(worker.said() for worker in workers)
        raise AssertionError(f"{error}\n{said}") from None
    finally:
        for worker in workers:
            worker.kill()
        operator.close()
    outcome = published(kafka, prefix, TREES)
    yield Campaign(plan, prefix, outcome, waits, sum(worker.lives for worker in workers))


def _first_laws() -> list[Law]:
    """Return the rules that are in force from the beginning."""
    alert: dict[str, Any] = {"action": Action.ALERT_ONLY, "alert_severity": Severity.MEDIUM}
    return [
        _law("High Error Rate", FAILING, window="10s", action=Action.PAUSE_COMMAND_TYPE),
        _law("Errors", FAILING, window="5s", min_samples=20, keep_firing_for="1s", **alert),
        _law("Repeated Command Failures", MANY, window="10s", group_by=None, **alert),
        _law("Overall", OVERALL, window="1m", group_by="overall", action=Action.REVERT_TO_L3),
        _law("Agents", AGENTS, window="10s", for_="1s", group_by="labels.agentVersion", **alert),
    ]


def _law(name: str, tree: Tree, *, version: int = 1, since: int = 0, **fields: Any) -> Law:
    """Return a rule version with this condition."""
    rule = {
        "name": name,
        "condition": written(tree),
        "alert_severity": Severity.HIGH,
        "group_by": "commandType",
        **fields,
    }
    draft = Draft(Rule.model_validate(rule), tree)
    return law_of(draft, name=name, version=version, since=since)


def _run(
    kafka: str, prefix: str, plan: Plan, workers: list[Worker], operator: Operator
) -> list[float]:
    """Send events and do harm until all is sent and judged, then kill a few times in peace.

    Returns how long judging stood still after each of those kills (s).
    """
    for worker in workers:
        worker.start()
    with FrontierReader(kafka, prefix) as frontier:
        frontier.wait_until(1, seconds=240)
        traffic = _traffic(kafka, prefix, plan)
        harm = _Harm(plan, workers, Random(plan.kills))
        while traffic.poll() is None or not harm.is_done():
            harm.go_on()
            operator.resolve_trips()
            _change_a_rule(operator, harm)
            time.sleep(0.02)
        assert traffic.returncode == 0
        frontier.wait_until(_now(), seconds=360, meanwhile=harm.heal)
        waits = [_kill_in_peace(frontier, worker, harm) for worker in workers]
        frontier.wait_until(_now() + 3_000, seconds=360, meanwhile=harm.heal)
    return waits


def _kill_in_peace(frontier: FrontierReader, worker: Worker, harm: _Harm) -> float:
    """Kill a worker while all else is well; return how long nothing was judged (s)."""
    worker.kill()
    killed = _now()
    worker.start()
    frontier.wait_until(killed + 1, seconds=240, meanwhile=harm.heal)
    wait = (_now() - killed) / 1_000
    frontier.wait_until(_now(), seconds=240, meanwhile=harm.heal)
    return wait


def _now() -> int:
    """Return the time of day in ms."""
    return time.time_ns() // 1_000_000


def _traffic(kafka: str, prefix: str, plan: Plan) -> subprocess.Popen[bytes]:
    """Start the process that sends events."""
    topic = f"{prefix}{COMMAND_EVENTS.name}"
    numbers = (plan.events, plan.rate, 7)
    command = [sys.executable, "-m", "tests.integration.traffic", kafka, topic, *map(str, numbers)]
    return subprocess.Popen([*command, *([prefix] if plan.transactions else [])], cwd=ROOT)


def _change_a_rule(operator: Operator, harm: _Harm) -> None:
    """Make a rule stricter, or lenient again, after every fifth piece of harm."""
    version = 2 + len(harm.log) // 5
    if version > harm.rule_version:
        harm.rule_version = version
        tree = MANY if version % 2 else MORE
        changed: dict[str, Any] = {"action": Action.ALERT_ONLY, "window": "10s", "group_by": None}
        name = "Repeated Command Failures"
        operator.publish(_law(name, tree, version=version, since=soon(), **changed))


class _Harm:
    """Kills and stops of workers, at random moments of the plan's time."""

    def __init__(self, plan: Plan, workers: list[Worker], random: Random) -> None:
        self._workers, self._random = workers, random
        self._began = time.monotonic()
        moments = [random.uniform(1, plan.seconds) for _ in range(plan.kills)]
        stops = [plan.seconds * (one + 0.5) / plan.stops for one in range(plan.stops)]
        self._due = sorted([*((at, "kill") for at in moments), *((at, "stop") for at in stops)])
        self._wake_at: list[tuple[float, Worker]] = []
        self.log: list[str] = []
        self.rule_version = 1

    def is_done(self) -> bool:
        """Return whether all that was planned has been done."""
        return not self._due and not self._wake_at

    def go_on(self) -> None:
        """Do what is due."""
        now = time.monotonic() - self._began
        for one in [pair for pair in self._wake_at if pair[0] <= now]:
            self._wake_at.remove(one)
            one[1].wake()
        self.heal()
        while self._due and self._due[0][0] <= now:
            self._do(self._due.pop(0)[1], now)

    def heal(self) -> None:
        """Start again whatever ended by itself: a zombie that noticed may leave."""
        for worker in self._workers:
            if worker.supervise():
                self.log.append("left")

    def _do(self, kind: str, now: float) -> None:
        """Kill or stop a worker that is not stopped already."""
        awake = [worker for worker in self._workers if not worker.is_paused]
        worker = self._random.choice(awake)
        self.log.append(kind)
        if kind == "stop" and len(awake) > 1:
            worker.pause()
            self._wake_at.append((now + SESSION_SECONDS + self._random.uniform(1, 4), worker))
        else:
            worker.kill()
            worker.start()


def test_every_event_counts_once(campaign: Campaign) -> None:
    """What the tallies add up to is what the log holds: nothing lost, nothing counted twice."""
    assert campaign.outcome.wanted.duplicates > campaign.plan.events / 30
    assert campaign.outcome.count_differences() == []


def test_every_trip_happens_at_its_moment(campaign: Campaign) -> None:
    """The actions are the oracle's, none missing and none too many, on the same evidence."""
    differences = campaign.outcome.action_differences()

    assert differences.lines == []
    assert len({action.id for action in campaign.outcome.actions}) > campaign.plan.trips


def test_repeated_actions_say_the_same(campaign: Campaign) -> None:
    """An action that was published again after a crash is the same, to the letter."""
    first: dict[str, bytes] = {}
    for action in campaign.outcome.actions:
        assert first.setdefault(action.id, action.to_bytes()) == action.to_bytes()


def test_every_refused_record_lies_in_the_dead_letters(campaign: Campaign) -> None:
    """Late events are dead letters with the bytes that were sent, and nothing else is."""
    assert campaign.outcome.wanted.dead_letters
    assert campaign.outcome.dead_letter_differences() == []


def test_judging_goes_on_after_a_kill(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    """After each kill judging passes that moment at last; how soon is printed, not judged."""
    with capsys.disabled():
        sys.stdout.write(_figures(campaign))
    assert len(campaign.waits) == 2
    assert campaign.outcome.judged_until > 0


def _figures(campaign: Campaign) -> str:
    """Return what the campaign came to, in a few lines."""
    outcome = campaign.outcome
    records = sum(len(log.records) for log in outcome.logs)
    return (
        f"\n{records} records in {len(outcome.logs)} partitions, {outcome.wanted.duplicates} "
        f"repeats, {len(outcome.wanted.dead_letters)} dead letters\n"
        f"{len(outcome.wanted.trips)} trips, {len(outcome.actions)} action records\n"
        f"{campaign.plan.kills} kills, {campaign.plan.stops} stops, {campaign.lives} lives\n"
        f"judging went on {median(campaign.waits):.1f} s after a kill in peace at the median, "
        f"{min(campaign.waits):.1f} to {max(campaign.waits):.1f} s\n"
    )


def test_a_fresh_worker_makes_the_same_of_the_same_log(
    campaign: Campaign, kafka: str, tmp_path: Path
) -> None:
    """The log, judged again by one worker that never dies, gives the same ids and evidence."""
    prefix = f"t{uuid.uuid4().hex[:10]}."
    ensure(kafka, prefix=prefix)
    copied = (RULES, STATE, COMMAND_EVENTS)
    copy_topics(kafka, copied, source=campaign.prefix, target=prefix)
    end = campaign.outcome.wanted.judged.frontier
    assert end is not None
    with (
        Worker(kafka, prefix, f"{prefix}fresh", tmp_path, ticks=False) as worker,
        FrontierReader(kafka, prefix) as frontier,
    ):
        frontier.wait_until(end, seconds=480)
        assert worker.lives == 1
    again = published(kafka, prefix, TREES, wanted=campaign.outcome.wanted)
    before = {action.id for action in campaign.outcome.actions}

    assert again.logs == campaign.outcome.logs
    assert again.count_differences() == []
    assert again.action_differences().lines == []
    assert {action.id for action in again.actions} >= before
