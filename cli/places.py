"""Where Kafka and the API are, for a command that was not told."""

from __future__ import annotations

from embedded.probe import api_address
from embedded.runfile import RunFile
from schemas.errors import BadSetting
from schemas.settings import Settings


def kafka_of(settings: Settings) -> str:
    """Return the brokers: those of the settings, else those of the ``up`` that runs here.

    Raises:
        BadSetting: there are neither; names the ways.
    """
    if settings.kafka_bootstrap_servers:
        return settings.kafka_bootstrap_servers
    running = RunFile(settings).read()
    if running is None:
        raise BadSetting(
            "KAFKA_BOOTSTRAP_SERVERS",
            "no Kafka is named and none of ours runs here: set it to host:port,... of yours "
            "(or in .env), or start one with `governance up`",
        )
    return running.kafka


def api_of(settings: Settings, url: str | None) -> str:
    """Return the API's address: the one given, else that of the ``up`` that runs here."""
    if url is not None:
        return url.rstrip("/")
    running = RunFile(settings).read()
    return running.api if running else api_address(settings)


def check_member(settings: Settings) -> None:
    """See that no worker of the ``up`` that runs here has our member id.

    Raises:
        BadSetting: one has: of two static members with one id, Kafka throws out the first.
    """
    running = RunFile(settings).read()
    if running is not None and running.worker_id == settings.worker_id:
        raise BadSetting(
            "GOVERNANCE_WORKER_ID",
            f"{settings.worker_id!r} is the worker of the `governance up` that runs here; give "
            "this one another id (and another GOVERNANCE_WORKER_METRICS_PORT)",
        )
