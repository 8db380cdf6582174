"""The clock of the host is set forward and back, or three days pass while the service is down.

The real API goes by a clock that the test steps, around Friday 16:00 in the cycle's time zone. What
is due at a moment is due by the clock on the wall, whoever set it; what lasts lasts no less.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from governance import handlers
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from schemas.alerts import AlertType
from schemas.events import Severity
from schemas.wire import iso
from tests.clocks import MachineClock
from tests.database_holder import held
from tests.desks import alert, desk_at, settings_for, trip
from tests.served import RUN, served

pytestmark = pytest.mark.integration

ZONE = ZoneInfo("America/New_York")
FRIDAY = datetime(2026, 11, 27, 16, tzinfo=ZONE)
"""When the cycle of 2026-W48 is due; the installation began at noon of that Monday (UTC)."""
BEFORE = FRIDAY - timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

OFTEN = f"from governance import cycle_watch as c; c.EVERY = 0.1; {RUN}"
"""The API, with a watch that looks ten times a second whether a week is due."""
TURNS = 10
"""Looks that it has had before a test says that it did nothing."""

TRIPPED = FRIDAY - timedelta(minutes=10)
DUE = {
    Severity.HIGH: TRIPPED + timedelta(minutes=15),
    Severity.MEDIUM: TRIPPED + timedelta(hours=1),
    Severity.LOW: FRIDAY.replace(hour=17) + 3 * DAY,
}
"""By when people answer what tripped ten minutes before four; low waits for Monday's evening."""

DOWN = {"targetPhase": "L3", "reason": "a precaution"}

PACE = threading.Event()
"""Never set: what is awaited is looked for ten times a second."""


class Installation:
    """A service in *folder* whose machine has the clock *clock*."""

    def __init__(self, folder: Path, clock: MachineClock) -> None:
        self.clock = clock
        self._folder = folder
        self._url = f"sqlite:///{folder / 'governance.db'}"
        desk = desk_at(self._url, business_timezone=ZONE.key)
        for kind, severity in (("SET_FAN", Severity.MEDIUM), ("SET_GAS", Severity.LOW)):
            handlers.apply_action(desk, alert(kind, severity, decided_at=TRIPPED))
        handlers.apply_action(desk, trip("SET_POWER", decided_at=TRIPPED))
        desk.store.close()

    @contextmanager
    def run(self) -> Iterator[Running]:
        """Run it until the end of the block."""
        environment = {
            **self.clock.environment,
            "GOVERNANCE_DB_PATH": str(self._folder / "governance.db"),
            "GOVERNANCE_CYCLE_TIMEZONE": ZONE.key,
            "GOVERNANCE_BUSINESS_TIMEZONE": ZONE.key,
        }
        with (
            served(self._folder, run=("-c", OFTEN), **environment) as api,
            api.client() as client,
        ):
            try:
                yield Running(client, self.clock)
            finally:
                # Not killed, so that the clock's library can clean up what it shares.
                ended = api.stop()
            assert ended == 0

    def desk(self) -> closing[Store]:
        """Return its store, to look at."""
        return closing(Store(self._url))

    def alerts(self, kind: AlertType) -> int:
        """Return how many alerts of *kind* wait to be told."""
        with self.desk() as store, store.reading() as unit:
            rows = unit.outbox.after(0, topics=["alerts"], limit=1_000)
        return sum(kind.value in str(row.value) for row in rows)

    def acts(self) -> list[str]:
        """Return what the audit log tells, once its chain was verified."""
        with self.desk() as store:
            desk = Desk(store, settings_for(), decide)
            assert handlers.verify_audit(desk).intact
            return [row.act for row in handlers.list_audit(desk, limit=500)]


class Running:
    """What people see of the service while it runs, and the clock of its machine."""

    def __init__(self, client: httpx2.Client, clock: MachineClock) -> None:
        self.client = client
        self.clock = clock
        self._epoch = 0

    def weeks(self) -> list[str]:
        """Return the weeks that have a report, newest first."""
        return [one["isoWeek"] for one in self.client.get("/api/governance/reports").json()]

    def await_weeks(self, *wanted: str) -> None:
        """Wait until these weeks have one report each, and see that it stays so."""
        until(lambda: self.weeks() == [*wanted])
        for _ in range(TURNS):
            assert self.weeks() == [*wanted]
            PACE.wait(0.1)

    def overdue(self) -> set[str]:
        """Return the severities of what is overdue; when each event is due never changes."""
        events = self.client.get("/api/circuit-breaker/events/unresolved").json()
        found = {event["severity"]: event for event in events}
        assert {one: found[one]["dueAt"] for one in found} == {k: iso(v) for k, v in DUE.items()}
        return {one for one, event in found.items() if event["overdue"]}

    def serves(self) -> None:
        """See that it goes by the clock, reads and writes, and that autonomy can be lowered."""
        health = self.client.get("/ready").json()
        shown = datetime.fromisoformat(health["timestamp"])
        assert abs(shown - self.clock.now()) < timedelta(seconds=30)
        assert health["uptime"] < 120, "the time that it has run is not on the wall"
        assert health["checks"]["database"]["status"] == "healthy"
        down = self.client.post("/api/governance/rollback", json=DOWN)
        assert down.status_code == 200
        epoch = down.json()["state"]["autonomyEpoch"]
        assert epoch > self._epoch
        self._epoch = epoch


def until(happened: Any, *, within: float = 60) -> None:
    """Wait until *happened* says so, for *within* seconds at most."""
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline
        PACE.wait(0.1)


@pytest.fixture
def installation(faketime: Path, tmp_path: Path) -> Installation:
    """Return an installation on a machine that shows five to four on Friday."""
    return Installation(tmp_path, MachineClock(faketime, tmp_path, BEFORE))


def test_a_clock_that_is_set_forward_and_back_runs_the_cycle_once(
    installation: Installation,
) -> None:
    """Four o'clock comes three times that week: one report, and each event is due when it was.

    What is overdue is so by the clock as it stands, and no longer when it was wrong.
    """
    clock = installation.clock
    with installation.run() as service:
        service.serves()
        service.await_weeks()
        assert service.overdue() == set()
        for step, overdue in (
            (HOUR, {"high", "medium"}),
            (-HOUR, set()),
            (-HOUR, set()),
            (HOUR, set()),
            (HOUR, {"high", "medium"}),
        ):
            clock.step(step)
            service.await_weeks("2026-W48")
            assert service.overdue() == overdue
            service.serves()
        clock.show(BEFORE + 7 * DAY)
        service.await_weeks("2026-W48")
        clock.step(HOUR)
        service.await_weeks("2026-W49", "2026-W48")
        service.serves()
    acts = installation.acts()
    assert acts.count("cycle.run") == 2
    assert acts.count("phase.rolled_back") == 7


def test_a_week_is_caught_up_after_three_days(installation: Installation) -> None:
    """The service was down from Friday to Monday: Friday's report is written then, and once.

    Not again after another start, whose clock was set back.
    """
    clock = installation.clock
    with installation.run() as service:
        service.await_weeks()
    clock.step(3 * DAY)
    with installation.run() as service:
        service.await_weeks("2026-W48")
        report = service.client.get("/api/governance/reports/week-2026-W48").json()
        assert datetime.fromisoformat(report["weekEnd"]) == FRIDAY
        assert datetime.fromisoformat(report["generatedAt"]) >= BEFORE + 3 * DAY
        assert service.overdue() == {"high", "medium"}, "low is due on Monday's evening"
        service.serves()
    clock.step(-HOUR)
    with installation.run() as service:
        service.await_weeks("2026-W48")
        service.serves()
    assert installation.acts().count("cycle.run") == 1


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_who_waits_at_a_lock_waits_no_less_and_no_more(
    installation: Installation, tmp_path: Path, step: timedelta
) -> None:
    """An hour that the clock skips is no reason to give up, and one that it repeats is not waited.

    A request that is repeated under its key gets the answer that it had before the step.
    """
    wanted: dict[str, Any] = {
        "json": DOWN,
        "headers": {"Idempotency-Key": "one rollback"},
    }
    path = "/api/circuit-breaker/rules/High%20Error%20Rate"
    with installation.run() as service, ThreadPoolExecutor(2) as threads:
        client = service.client
        with held(f"sqlite:///{tmp_path / 'governance.db'}") as holder:
            change = {"condition": "errorRate > 0.21"}
            patch = threads.submit(client.patch, path, json=change)
            down = threads.submit(client.post, "/api/governance/rollback", **wanted)
            PACE.wait(0.5)  # both stand at the lock by then, and have five seconds
            installation.clock.step(step)
            PACE.wait(0.5)
            assert not patch.done()
            assert not down.done()
            holder.release()
        assert (patch.result().status_code, down.result().status_code) == (200, 200)
        again = client.post("/api/governance/rollback", **wanted)
        assert again.json() == down.result().json()
        service.serves()
    assert installation.acts().count("phase.rolled_back") == 2


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_blindness_is_told_however_the_clock_was_set(
    installation: Installation, step: timedelta
) -> None:
    """No judge ever reports: people learn of it within a minute, and not an hour later."""
    with installation.run():
        installation.clock.step(step)
        until(lambda: installation.alerts(AlertType.STREAM_BLIND) == 1)
    assert installation.alerts(AlertType.STREAM_BLIND) == 1
