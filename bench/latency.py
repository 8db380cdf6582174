"""From the event that decides to the state that people can see, at 1,000 events a second.

    probe's third failure ──► Kafka acknowledges ──► tally ──► judge ──► state service ──► SSE
                                   |◄───────────── what is measured ───────────────────────►|

Each probe is a command type of its own that fails three times, which a default rule pauses.
Followed are the server-sent events; that the API lists every trip as unresolved is checked.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Set
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any, Final

import httpx2
from aiokafka import AIOKafkaProducer

from bench.processes import Measured
from bench.report import Line, Result
from bench.stage import GLANCE, Stage
from bench.web import get
from embedded.ports import LOOPBACK
from schemas.alerts import AlertType
from schemas.wire import iso

RATE: Final = 1_000
"""Events a second beside the probes."""
WARM_UP: Final = 20
"""Seconds of load before the first probe: every ordinary command type trips in them."""
SECONDS: Final = 125
QUICK_SECONDS: Final = 30
PATIENCE: Final = 10.0
"""Seconds after the last probe within which its trip must be seen."""
FAILURES: Final = 3
PAUSES: Final = (0.3, 0.7)
"""The least and the most seconds between two probes: never in step with cuts or flushes."""


def measure(stage: Stage, quick: bool) -> Result:
    """Run the whole product under steady load, and send probes."""
    seconds = QUICK_SECONDS if quick else SECONDS
    stage.build(rules=False)
    with stage.service() as service, stage.worker() as worker:
        while not stage.is_sighted():
            worker.check()
            time.sleep(GLANCE)
        with stage.produce(RATE * (WARM_UP + seconds + 60), RATE):
            time.sleep(WARM_UP)
            return _measured(stage, seconds, worker, service)


def _measured(stage: Stage, seconds: int, worker: Measured, service: Measured) -> Result:
    """Send probes for *seconds*; return how long they took and what everybody used."""
    began = time.monotonic()
    before = (worker.cpu, service.cpu, stage.broker_cpu)
    delays = asyncio.run(_probes(stage, seconds))
    after = (worker.cpu, service.cpu, stage.broker_cpu)
    took = time.monotonic() - began
    shares = [(later - sooner) / took for later, sooner in zip(after, before, strict=True)]
    cuts = quantiles(delays, n=100, method="inclusive")
    return {
        "eventsPerSecond": RATE,
        "seconds": seconds,
        "probes": len(delays),
        "milliseconds": {
            "p50": round(cuts[49]),
            "p90": round(cuts[89]),
            "p99": round(cuts[98]),
            "max": round(max(delays)),
        },
        "shareOfACore": {
            name: round(share, 3)
            for name, share in zip(("worker", "service", "broker"), shares, strict=True)
        },
    }


async def _probes(stage: Stage, seconds: int) -> list[float]:
    """Send probes and follow the API; return the delay of each in milliseconds."""
    acknowledged: dict[str, float] = {}
    follower = Follower()
    following = asyncio.create_task(follower.follow(stage.api_port))
    async with AIOKafkaProducer(bootstrap_servers=stage.servers) as producer:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            name = f"PROBE_{len(acknowledged)}"
            acknowledged[name] = await _fail(producer, stage.events_topic, name)
            await asyncio.sleep(random.uniform(*PAUSES))
    async with asyncio.timeout(PATIENCE):
        await follower.wait_for(acknowledged.keys())
    following.cancel()
    unresolved = json.loads(get(stage.api_port, "/api/circuit-breaker/events/unresolved")[1])
    assert {event["commandType"] for event in unresolved} >= acknowledged.keys()
    return [(follower.seen[name] - moment) * 1000 for name, moment in acknowledged.items()]


async def _fail(producer: AIOKafkaProducer, topic: str, name: str) -> float:
    """Report failures of command type *name*; return when Kafka had acknowledged the last."""
    for number in range(FAILURES):
        event = {
            "id": f"{name}-{number}",
            "kind": "command",
            "occurredAt": iso(datetime.now(UTC)),
            "commandId": f"{name.lower()}-{number}",
            "commandType": name,
            "status": "failed",
        }
        await producer.send_and_wait(topic, json.dumps(event).encode(), key=name.encode())
    return time.monotonic()


class Follower:
    """Follows the API's stream; `seen` says when the trip of a command type was first told."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self._news = asyncio.Event()

    async def follow(self, port: int) -> None:
        """Read the stream, for ever."""
        url = f"http://{LOOPBACK}:{port}/api/stream"
        async with (
            httpx2.AsyncClient(timeout=None, trust_env=False) as client,
            client.stream("GET", url) as answer,
        ):
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    self._take(json.loads(line.removeprefix("data:")))

    def _take(self, told: dict[str, Any]) -> None:
        if told.get("type") == AlertType.BREAKER_TRIPPED:
            self.seen.setdefault(told["data"]["commandType"], time.monotonic())
            self._news.set()

    async def wait_for(self, names: Set[str]) -> None:
        """Return when the trips of all of *names* were told."""
        while not self.seen.keys() >= names:
            self._news.clear()
            await self._news.wait()


def lines(found: Result) -> list[Line]:
    """Return the table's lines."""
    delay, share = found["milliseconds"], found["shareOfACore"]
    return [
        Line("probes (seconds, events a second beside)", _probe_text(found), ""),
        Line("acknowledged to visible, p50", f"{delay['p50']} ms", "<= 250 ms"),
        Line("acknowledged to visible, p90", f"{delay['p90']} ms"),
        Line("acknowledged to visible, p99 (max)", f"{delay['p99']} ({delay['max']}) ms", "<= 1 s"),
        Line("worker, share of a core", f"{share['worker']:.0%}", "<= 60 %"),
        Line("state service, broker", f"{share['service']:.0%}, {share['broker']:.0%}"),
    ]


def _probe_text(found: Result) -> str:
    return f"{found['probes']} ({found['seconds']} s, {found['eventsPerSecond']:,}/s)"
