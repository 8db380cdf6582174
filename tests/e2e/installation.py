"""A live installation where the runbook looks for it: ``services/governance``, ready for a rise.

It has half a year at L3 behind it. Only that past is made up, before the first start; whatever
happens afterwards comes through Kafka, the API and the operator's shell.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import Request, urlopen

from governance import handlers
from governance.audit import Act
from governance.checklist import Kind, NewAttestation, default_checklist
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from schemas.settings import Weekday
from schemas.tallies import Column
from schemas.wire import to_ms
from tests.desks import SetClock, settings_for
from tests.e2e.machine import Machine
from tests.e2e.runbook import Block
from tests.e2e.stack import PATIENCE, Stack
from tests.ladders import HALF_A_YEAR, HEALTHY

EVIDENCE: Final = NewAttestation(evidence_url="https://wiki.example/drills", note="the yearly ones")
_PORT: Final = re.compile(r"\b(4007|9090)\b")
DAY: Final = 24 * 60
"""In minutes."""

COMMAND_DATABASE: Final = "services/command/var/command.db"
"""Another service's; an empty file stands in for it."""


class Installation:
    """``governance up`` in ``services/governance`` of *site*, where an operator types blocks.

    *ports* are those that the runbook and the deployment name, and what they are here.
    """

    def __init__(
        self, site: Path, machine: Machine, *, kafka: str, prefix: str, ports: Mapping[int, int]
    ) -> None:
        self.site = site
        self.home = site / "services" / "governance"
        self.database = self.home / "var" / "governance.db"
        self.machine = machine
        self.kafka = kafka
        self.prefix = prefix
        self._ports = ports
        self._weekday = far_from(datetime.now(UTC))
        self._prepare()
        self.stack = Stack(
            self.home,
            scenario="none",
            port=ports[4007],
            KAFKA_BOOTSTRAP_SERVERS=kafka,
            GOVERNANCE_TOPIC_PREFIX=prefix,
            GOVERNANCE_WORKER_GROUP=f"{prefix}workers",
            GOVERNANCE_WORKER_METRICS_PORT=str(ports[4008]),
            GOVERNANCE_CYCLE_WEEKDAY=self._weekday,
        )

    def __enter__(self) -> Self:
        self.stack.__enter__()
        self.stack.wait_until_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.process.terminate()
        self.stack.process.wait()

    # ------------------------------------------------------------------------- the operator

    def run(self, block: Block, words: Mapping[str, str]) -> str:
        """Run a block as it stands; return what it printed."""
        return self.machine.run(self._script(block, words), cwd=self.site)

    def follow(self, block: Block, *, until: str) -> str:
        """Run a block that never ends until it has printed *until*; return what it printed."""
        return self.machine.follow(self._script(block, {}), cwd=self.site, until=until)

    def fail(self, command_type: str, times: int) -> None:
        """Have executors report that commands of a type failed."""
        now = datetime.now(UTC).isoformat()
        event = {"kind": "command", "occurredAt": now, "status": "failed", "autonomous": True}
        named = [{"id": f"{command_type}-{number}", **event} for number in range(times)]
        lines = [
            json.dumps({**e, "commandId": e["id"], "commandType": command_type}) for e in named
        ]
        (self.home / "failures.jsonl").write_text("\n".join(lines))
        sent = self.stack.command("produce", "failures.jsonl", "--now")
        assert sent.returncode == 0, sent.stderr

    # ---------------------------------------------------------------------- what it is like

    def read(self, path: str) -> Any:
        """Return what the API answers."""
        return self.stack.read(path)

    def post(self, path: str) -> Any:
        """Return what the API answers to an empty POST."""
        asked = Request(f"{self.stack.api}{path}", method="POST")  # noqa: S310 - our own API
        with urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - our own API
            return json.load(answer)

    def is_up(self) -> bool:
        """Tell whether the API answers."""
        try:
            return bool(self.read("/health"))
        except OSError:
            return False

    def wait(self, holds: Callable[[], Any], otherwise: str) -> None:
        """Return when *holds*; fail if it takes too long."""
        self.stack.wait(holds, otherwise)

    def wait_until_ready(self) -> None:
        """Return when Prometheus has been seen: nothing else keeps us from the next phase."""
        self.wait(
            lambda: self.read("/api/readiness/current")["overall"]["ready"], "it is not ready"
        )

    def acts(self) -> list[str]:
        """Return everything that was done, oldest first, by the audit log."""
        return [act for (act,) in self.select("SELECT act FROM audit_log ORDER BY seq")]

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the live database."""
        with closing(sqlite3.connect(self.database, timeout=30)) as database:
            return database.execute(query).fetchall()

    def change(self, script: str) -> None:
        """Change rows of the live database, as an operator's client would."""
        with closing(sqlite3.connect(self.database, timeout=30)) as database:
            database.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")

    @property
    def pid(self) -> int:
        """Return the API's process id."""
        return int((self.home / "governance.pid").read_text())

    # ----------------------------------------------------------------------------- its past

    def _script(self, block: Block, words: Mapping[str, str]) -> str:
        """Return a block with the reader's part filled in; SQL goes to the database's shell."""
        script = block.filled(words)
        script = _PORT.sub(lambda named: str(self._ports[int(named[0])]), script)
        if block.language == "sql":
            return f"sqlite3 services/governance/var/governance.db\n{script}"
        return script

    def _prepare(self) -> None:
        """Make the folders, the past, and what belongs to others."""
        self.database.parent.mkdir(parents=True)
        live_half_a_year(self.database, datetime.now(UTC), weekday=self._weekday)
        other = self.site / COMMAND_DATABASE
        other.parent.mkdir(parents=True)
        other.touch()


def far_from(now: datetime) -> Weekday:
    """Return the day of the week on which the cycle runs by itself: never amid the story."""
    return list(Weekday)[(now.weekday() + 3) % 7]


def live_half_a_year(database: Path, now: datetime, *, weekday: Weekday) -> None:
    """Leave a database as half a year of good work at L3 does: counts, drills, weekly reports."""
    store = Store(f"sqlite:///{database}")
    store.migrate()
    desk = Desk(store, settings_for(cycle_weekday=weekday), decide, SetClock(now))
    handlers.create(replace(desk, clock=SetClock(now - HALF_A_YEAR)))
    for item in default_checklist():
        if item.kind is Kind.ATTESTED:
            handlers.attest_item(desk, item.name, EVIDENCE, by="anna")
    row = [HEALTHY.get(column.name.lower(), 0) for column in Column]
    today = to_ms(now) // 60_000
    with store.writing() as unit:
        unit.minutes.add({(today - day * DAY, "*"): row for day in range(1, HALF_A_YEAR.days)})
    handlers.sum_up_minutes(desk)
    while handlers.next_due_week(desk):
        handlers.run_cycle(desk, scheduled=True)
    assert Act.PROPOSAL_OPENED not in [entry.act for entry in handlers.list_audit(desk)]
    store.close()
