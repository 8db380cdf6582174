"""The command line against the real API, on a port of its own; without Kafka."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

import pytest
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from api.app import create_app
from cli.main import app as command
from governance import handlers
from governance.callers import Role
from governance.service import StateService
from schemas.settings import Settings
from tests.unit.api.conftest import (  # noqa: F401 - fixtures
    app,
    first_start,
    service,
    settings,
    trip,
)

Governance = Callable[..., Result]
Person = Callable[..., Governance]


@contextmanager
def listening(api: FastAPI) -> Iterator[str]:
    """Serve *api* from a thread of its own; give its address."""
    server = uvicorn.Server(uvicorn.Config(api, log_config=None, access_log=False))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def commands(address: str, **variables: str) -> Governance:
    """Return what runs the command against *address* with *variables* set."""

    def run(*arguments: str, given: str | None = None) -> Result:
        asked = [*arguments, "--url", address]
        return CliRunner(env=variables).invoke(command, asked, input=given)

    return run


@pytest.fixture
def governance(app: FastAPI) -> Iterator[Governance]:  # noqa: F811 - the fixture
    """Return what runs the command against an API that asks nobody who they are."""
    with listening(app) as address:
        yield commands(address)


@pytest.fixture
def person(service: StateService, settings: Settings) -> Iterator[Person]:  # noqa: F811
    """Return what makes somebody with a token, and the command as they run it."""
    chosen = settings.model_copy(update={"auth": "token"})
    service.desk = replace(service.desk, settings=chosen)

    def known(name: str, *roles: Role) -> Governance:
        _, token = handlers.create_token(service.desk, name, roles, by="the test")
        return commands(address, GOVERNANCE_TOKEN=token)

    with listening(create_app(service, chosen)) as address:
        yield known
