"""How fast operators are answered after a busy quarter, and what the service costs while idle.

    a quarter in the database ──► worker, state service with API ◄── one client, kept alive

The addresses are asked in rounds, each once a round, so that a busy moment of the machine
spoils a little of all and not all of one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from statistics import quantiles
from typing import Any, Final

from sqlalchemy import text

from bench.addresses import addresses, pages
from bench.databases import POSTGRES, SQLITE, address, database
from bench.processes import Measured
from bench.quarter.seeding import fill
from bench.report import Line, Result
from bench.stage import GLANCE, Stage
from bench.web import PATIENCE
from embedded.ports import LOOPBACK
from governance.store.engine import open_engine

ROUNDS: Final = 200
QUICK_ROUNDS: Final = 60
SETTLED: Final = 20
"""Rounds after which everything was made that is made once: memory grows no more from there."""
IN_A_ROW: Final = 25
"""Requests over which the CPU seconds of one address are taken: clocks of processes are coarse."""
CYCLES: Final = 10
STORM: Final = 1_000
"""Events that wait for people after the worst night there can be."""
IDLE: Final = 60
"""Seconds that the idle service is looked at."""
SHOWN: Final = 5
"""Addresses that the table shows, the slowest first."""

LISTS: Final = 50
"""Milliseconds within which 95 of 100 lists and documents are wanted."""
PAGES: Final = 150
"""The same of pages for people."""
CYCLE: Final = 1_000
"""Milliseconds within which a cycle is wanted."""

EVENTS: Final = "/api/circuit-breaker/events"
READY: Final = "/ready"
PROPOSALS: Final = "/api/governance/proposals"
STORMY: Final = (
    f"{EVENTS}/unresolved", "/metrics", "/health", READY, PROPOSALS, "/api/readiness/current",
)  # fmt: skip
"""What is asked again while so many events wait."""

REOPEN: Final = text(
    "UPDATE circuit_breaker_events SET resolved = 0, resolved_at = NULL, resolved_by = NULL, "
    "finding = NULL, acknowledged_at = NULL, acknowledged_by = NULL "
    "WHERE seq > (SELECT max(seq) - :count FROM circuit_breaker_events)"
)

Times = dict[str, list[float]]
"""Milliseconds by address."""


def measure(stage: Stage, quick: bool) -> Result:
    """Ask everything on SQLite, and in fewer rounds on PostgreSQL."""
    stage.build(rules=False)
    found = {SQLITE: _measured(stage, SQLITE, QUICK_ROUNDS if quick else ROUNDS)}
    stage.clear()
    return {**found, POSTGRES: _measured(stage, POSTGRES, QUICK_ROUNDS)}


def _measured(stage: Stage, kind: str, rounds: int) -> Result:
    """Fill a database of *kind* and ask everything *rounds* times."""
    with database(kind, stage.folder / kind) as settings:
        url, began = address(settings), time.monotonic()
        quarter = fill(url, datetime.now(UTC))
        seconds = round(time.monotonic() - began, 1)
        stage.settings = settings
        with stage.service() as service, stage.worker() as worker:
            while not stage.is_sighted():
                worker.check()
                time.sleep(GLANCE)
            found = _asked(stage, service, url, rounds)
    return {"quarter": quarter, "secondsToFill": seconds, "rounds": rounds, **found}


def _asked(stage: Stage, service: Measured, url: str, rounds: int) -> Result:
    """Return what a client found, and what that cost the service."""
    with closing(Client(stage.api_port)) as client:
        before = service.rss
        cycles = [client.ask("POST", "/api/governance/run-cycle") for _ in range(CYCLES)]
        document = client.read("/openapi.json")
        ids = _ids(client)
        times: Times = {where: [] for where in addresses(document, ids)}
        client.rounds(times, SETTLED)
        settled = service.rss
        client.rounds(times, rounds - SETTLED)
        after = service.rss
        cpu = {where: _cpu_of(client, service, where) for where in times}
        client.close()
        idle = _idle_cpu(service)
        storm = _storm(client, url)
    return {
        "runCycle": {"first": round(cycles[0], 1), **_spread(cycles[1:])},
        "addresses": _by_address(times, client.sizes),
        "cpuMilliseconds": cpu,
        "pages": sorted(pages(document, ids)),
        "storm": {"unresolved": STORM, **storm},
        "residentMiB": {
            name: size >> 20
            for name, size in (("before", before), ("settled", settled), ("after", after))
        },
        "idleCpuSecondsPerMinute": round(idle, 2),
        "loadAverage": round(os.getloadavg()[0], 1),
    }


class Client:
    """Asks on one connection that is kept, as a browser or a monitoring system does."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
        self.sizes: dict[str, int] = {}

    def close(self) -> None:
        """Let go of the connection; the next question opens another."""
        self._connection.close()

    def ask(self, method: str, where: str) -> float:
        """Return the milliseconds until the last byte was there."""
        return self._ask(method, where)[0]

    def read(self, where: str) -> Any:
        """Return an answer in JSON."""
        return json.loads(self._ask("GET", where)[1])

    def rounds(self, times: Times, count: int) -> None:
        """Ask each address of *times* once in each of *count* rounds."""
        for _ in range(count):
            for where, taken in times.items():
                taken.append(self.ask("GET", where))

    def _ask(self, method: str, where: str) -> tuple[float, bytes]:
        began = time.perf_counter()
        self._connection.request(method, where)
        answer = self._connection.getresponse()
        body = answer.read()
        taken = (time.perf_counter() - began) * 1_000
        # On a busy machine the judges may be late, and then the service says that it is blind.
        assert answer.status == 200 or where == READY, (where, answer.status, body)
        self.sizes[where] = len(body)
        return taken, body


def _ids(client: Client) -> dict[str, str]:
    """Return something that exists for each parameter of a path."""
    return {
        "act_id": client.read("/api/governance/joint-acts")[0]["id"],
        "event_id": client.read(f"{EVENTS}?limit=1")[0]["id"],
        "name": client.read("/api/circuit-breaker/rules")[0]["name"],
        "proposal_id": client.read(PROPOSALS)[0]["id"],
        "report_id": client.read("/api/governance/reports?limit=1")[0]["id"],
    }


def _storm(client: Client, url: str) -> Result:
    """Let many events wait for people, as after a storm, and ask again."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(REOPEN, {"count": STORM})
    engine.dispose()
    times: Times = {where: [] for where in STORMY}
    client.rounds(times, QUICK_ROUNDS)
    cycles = [client.ask("POST", "/api/governance/run-cycle") for _ in range(CYCLES)]
    return {"addresses": _by_address(times, client.sizes), "runCycle": _spread(cycles)}


def _cpu_of(client: Client, service: Measured, where: str) -> float:
    """Return the CPU milliseconds of an answer: what is left of its time on a quiet machine."""
    before = service.cpu
    for _ in range(IN_A_ROW):
        client.ask("GET", where)
    return round((service.cpu - before) / IN_A_ROW * 1_000, 1)


def _idle_cpu(service: Measured) -> float:
    """Return the CPU seconds in a minute in which nobody asks and no command runs."""
    began, before = time.monotonic(), service.cpu
    time.sleep(IDLE)
    return (service.cpu - before) / (time.monotonic() - began) * 60


def _by_address(times: Times, sizes: dict[str, int]) -> Result:
    """Return the spread of each address, the slowest first, and how long its answer is."""
    found = {where: {**_spread(taken), "bytes": sizes[where]} for where, taken in times.items()}
    return dict(sorted(found.items(), key=lambda one: -one[1]["p95"]))


def _spread(taken: list[float]) -> dict[str, float]:
    """Return where the milliseconds lie."""
    cuts = quantiles(taken, n=100, method="inclusive")
    found = {"min": min(taken), "p50": cuts[49], "p95": cuts[94], "max": max(taken)}
    return {name: round(value, 1) for name, value in found.items()}


def lines(found: Result) -> list[Line]:
    """Return the table's lines."""
    return [line for kind in (SQLITE, POSTGRES) for line in _lines(kind, found[kind])]


def _lines(kind: str, found: Result) -> Iterator[Line]:
    """Yield the lines of one kind of database."""
    cycle, storm, memory = found["runCycle"], found["storm"], found["residentMiB"]
    yield Line(f"{kind}: run-cycle, median (max, first)", _cycle_text(cycle), f"<= {CYCLE} ms")
    shown = found["addresses"]
    slow = [where for where in shown if shown[where]["p95"] > _wanted(where, found)]
    yield Line(f"of {len(shown)} addresses above what is wanted", str(len(slow)), "0")
    for where in list(shown)[:SHOWN]:
        said = f"{_text(shown[where])}, CPU {found['cpuMilliseconds'][where]:.0f}"
        yield Line(_short(where), said, f"p95 <= {_wanted(where, found)} ms")
    for where, taken in list(storm["addresses"].items())[:2]:
        yield Line(f"{_short(where)}, {STORM:,} wait", _text(taken), f"p95 <= {LISTS} ms")
    yield Line(f"run-cycle, {STORM:,} wait", _text(storm["runCycle"]), f"<= {CYCLE} ms")
    yield Line("memory before, settled, after", f"{', '.join(map(str, memory.values()))} MiB")
    yield Line("idle, of a core", f"{found['idleCpuSecondsPerMinute'] / 60:.1%}")


def _wanted(where: str, found: Result) -> int:
    """Return how fast *where* is wanted."""
    return PAGES if where in found["pages"] else LISTS


def _short(where: str) -> str:
    """Return an address that fits into the table."""
    return where if len(where) <= 44 else f"{where[:30]}…{where[-13:]}"


def _text(taken: dict[str, float]) -> str:
    return f"p50 {taken['p50']:.0f}, p95 {taken['p95']:.0f} ms"


def _cycle_text(taken: dict[str, float]) -> str:
    return f"{taken['p50']:.0f} ({taken['max']:.0f}, {taken['first']:.0f}) ms"
