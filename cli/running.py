"""Commands that run until they are stopped: the whole, and each of its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import typer

from cli.output import LARGEST, AsJson, print_json, print_table
from cli.places import check_member, kafka_of
from embedded.scenarios import Scenario
from schemas.settings import Settings, load_settings

PATIENCE: Final = timedelta(seconds=3)
"""How long the API waits for Kafka before it serves without."""

AssumeTopics = Annotated[
    bool, typer.Option("--assume-topics", help="Do not create or check the topics first.")
]
Port = Annotated[int | None, typer.Option(help="Port of the API (PORT).", min=1, max=65_535)]
Seed = Annotated[int | None, typer.Option(help="Makes the traffic repeatable.", min=0, max=LARGEST)]


def add_to(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (up, worker, api, topics, demo):
        app.command()(command)


def up(
    scenario: Annotated[Scenario, typer.Option(help="The demo traffic to play.")] = Scenario.NONE,
    port: Port = None,
    seed: Seed = None,
) -> None:
    """Start everything on this machine, and watch it.

    Kafka (yours, if KAFKA_BOOTSTRAP_SERVERS names one), a worker, the state service with the
    API, and demo traffic on request. Ctrl-C stops everything; the next start goes on from there.
    """
    from embedded.screen import Screen
    from embedded.up import Up
    from schemas.descriptors import raise_limit

    settings = load_settings(**({} if port is None else {"port": port})).check_safe()
    raise_limit()
    Up(settings, scenario, screen=Screen(), seed=seed).run()


def worker(assume_topics: AssumeTopics = False) -> None:
    """Run a stream worker: count events, judge rules, publish actions.

    More workers share the work; each needs a GOVERNANCE_WORKER_ID of its own. Kafka is the one
    in KAFKA_BOOTSTRAP_SERVERS, else that of the `governance up` that runs in this folder.
    """
    from cli.logs import log_to_stderr, warn_of_unknown
    from schemas.descriptors import raise_limit

    settings = load_settings().check_safe()
    raise_limit()
    servers = kafka_of(settings)
    if not assume_topics:
        from embedded.provision import provision

        check_member(settings)
        provision(settings, servers)
    from streams.worker import run

    log_to_stderr(settings)
    warn_of_unknown()
    run(settings, servers)


def api(
    port: Port = None,
    assume_topics: AssumeTopics = False,
) -> None:
    """Run the state service and the API: remember what was decided, let people operate it."""
    settings = load_settings(**({} if port is None else {"port": port})).check_safe()
    servers = kafka_of(settings)
    if not assume_topics:
        _provide(settings, servers)
    from api.server import serve

    serve(settings.model_copy(update={"kafka_bootstrap_servers": servers}))


def _provide(settings: Settings, servers: str) -> None:
    """Create and check the topics, unless Kafka is away.

    The kill switch must not wait for it. Workers see to the topics too, and none starts without.
    """
    from embedded.provision import provision
    from schemas.errors import Unavailable

    try:
        provision(settings, servers, patience=PATIENCE)
    except Unavailable as problem:
        typer.echo(f"governance: {problem}; serving without it until it answers", err=True)


def topics(as_json: AsJson = False) -> None:
    """Create the topics that are missing, and check that the others are as they must be."""
    from embedded.provision import provision, widths

    settings = load_settings()
    servers = kafka_of(settings)
    created = provision(settings, servers)
    rows = [
        {"name": name, "partitions": width, "created": name in created}
        for name, width in sorted(widths(settings, servers).items())
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, {"name": "topic", "partitions": "partitions", "created": "created now"})


def demo(
    scenario: Annotated[Scenario, typer.Option(help="The traffic to play.")] = Scenario.INCIDENT,
    seed: Seed = None,
) -> None:
    """Send demo traffic to Kafka in real time, until Ctrl-C."""
    import secrets
    import threading

    from cli.logs import log_to_stderr
    from embedded.demo import play
    from embedded.signals import handled_by
    from schemas.topics import COMMAND_EVENTS

    settings = load_settings()
    log_to_stderr(settings)
    stop = threading.Event()
    with handled_by(lambda *_: stop.set()):
        sent = play(
            scenario,
            bootstrap_servers=kafka_of(settings),
            topic=settings.topic(COMMAND_EVENTS.name),
            seed=secrets.randbelow(1_000_000) if seed is None else seed,
            stop=stop,
        )
    typer.echo(f"sent {sent} records")
