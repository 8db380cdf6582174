"""A worker as a process: `run` returns only when it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Sequence
from typing import Any

import faust

from schemas.addresses import in_url
from schemas.interfaces import interface_of
from schemas.places import make_folder
from schemas.settings import Settings
from streams.app import StreamApp
from streams.claim import Claim, claim
from streams.duties import rules_in_force
from streams.exposition import serve
from streams.judge import Judge

log = logging.getLogger(__name__)


def health(app: StreamApp) -> dict[str, Any]:
    """Return how far behind this worker judges, and whether that is blindness.

    ``healthy`` while every partition that it owns is judged up to a moment ago, by rules; a
    worker without partitions is healthy too. One that was told of no rule at all is blind,
    however far it has come; one whose rules people disabled or deleted is not.
    """
    now = time.time()
    judging = getattr(app, "judging", None)
    states = judging.states if judging is not None else []
    tallying = getattr(app, "tallying", None)
    tallies = tallying.states if tallying is not None else []
    ages = [now - judge.at / 1000 if judge.first is not None else None for judge in states]
    known = [age for age in ages if age is not None]
    behind = len(known) < len(ages) or max(known, default=0) > app.settings.blind_after_seconds
    reason = _without_rules(states) or ("behind what executors do" if behind else None)
    return {
        "status": "degraded" if reason else "healthy",
        "worker": app.settings.worker_id,
        "frontierAgeSeconds": round(max(known), 3) if known else None,
        "overflowedValues": sum(tally.memory.overflowed for tally in tallies),
        "partitions": sorted(judge.partition for judge in states),
        "rules": rules_in_force(states),
        "reason": reason,
        "openTransactions": {
            name: round(one.seconds, 3) for name, one in app.transactions.held.items()
        },
    }


def _without_rules(judges: Sequence[Judge]) -> str | None:
    """Return that *judges* lack rules, or None: then they know all that they were told of."""
    lacking = {f"{name}@{number}" for judge in judges for name, number in judge.lacking.items()}
    if lacking:
        return f"waits for rules that are no longer on the topic: {', '.join(sorted(lacking))}"
    if any(judge.first is not None and not judge.in_force for judge in judges):
        return "no rule is known: is the state service up, on the same Kafka and topic prefix?"
    return None


class Worker(faust.Worker):
    """Faust's process, which ends by SIGTERM and SIGINT only."""

    def install_signal_handlers(self) -> None:
        """Let SIGUSR2 open no debugger that would stop the loop, and SIGHUP end nothing."""
        super().install_signal_handlers()
        for number in (signal.SIGUSR2, signal.SIGHUP):
            self.loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def run(settings: Settings, bootstrap_servers: str) -> None:
    """Run a worker until SIGTERM or SIGINT; it flushes before it ends.

    Raises:
        BadSetting: another worker that lives has our id, its own port is taken, this machine has no
            such interface, or the data folder cannot be made.
        Unavailable: Kafka does not answer.
    """
    make_folder("GOVERNANCE_DATA_DIR", settings.data_dir / "workers")
    with claim(settings, bootstrap_servers) as held:
        _run(settings, bootstrap_servers, held)


def _run(settings: Settings, bootstrap_servers: str, held: Claim) -> None:
    """Run a worker that holds its id."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # A batch makes thousands of objects and no cycles, and millions of ids are kept: looking
    # through all of them is worth it once in tens of millions of new objects, not more often.
    gc.set_threshold(50_000, 50, 10)
    app = StreamApp(settings, bootstrap_servers, check_claim=held.check)
    host, port = settings.worker_host, settings.worker_metrics_port
    with interface_of("GOVERNANCE_WORKER_HOST", "GOVERNANCE_WORKER_METRICS_PORT", host, port):
        server = serve(
            host,
            port,
            registry=app.metrics.registry,
            health=lambda: health(app),
            token=settings.worker_token,
        )
    log.info("worker metrics on http://%s:%d/metrics", in_url(host), server.server_address[1])
    worker = Worker(
        app, loop=loop, loglevel=settings.log_level, redirect_stdouts=False, override_logging=False
    )
    worker.spinner = None  # a terminal's toy, which would end up in the log
    worker.execute_from_commandline()
