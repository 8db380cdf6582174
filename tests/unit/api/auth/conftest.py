"""The application with authentication on, and a token for every kind of caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.audit import Act
from governance.callers import Role, Scope
from governance.service import StateService
from schemas.settings import Settings

HOME = "http://governance.example:4007"

Person = dict[str, str]
"""The header that somebody's token makes."""

Bearer = Callable[..., Person]


@pytest.fixture
def guarded(service: StateService, settings: Settings) -> Iterator[TestClient]:
    """Return a client of the application in token mode; it sends no token by itself."""
    chosen = settings.model_copy(update={"auth": "token"})
    service.desk = replace(service.desk, settings=chosen)
    with TestClient(create_app(service, chosen), base_url=HOME) as client:
        yield client


@pytest.fixture
def bearer(service: StateService) -> Bearer:
    """Return what makes a token and the header that sends it."""

    def bearer(principal: str, *roles: Role, scopes: tuple[Scope, ...] = ()) -> dict[str, str]:
        _, spelling = handlers.create_token(
            service.desk, principal, roles, by="the test", scopes=scopes
        )
        return {"Authorization": f"Bearer {spelling}"}

    return bearer


@pytest.fixture
def anna(bearer: Bearer) -> Person:
    """Return a tech lead."""
    return bearer("anna", Role.TECH_LEAD)


@pytest.fixture
def ben(bearer: Bearer) -> Person:
    """Return an ops lead."""
    return bearer("ben", Role.OPS_LEAD)


@pytest.fixture
def olga(bearer: Bearer) -> Person:
    """Return an operator."""
    return bearer("olga", Role.OPERATOR)


def renamed(service: StateService, token_id: str, name: str) -> None:
    """Give a token a name of before, when any were allowed; the audit log tells it so."""
    with closing(sqlite3.connect(service.settings.db_path)) as direct, direct:
        direct.execute("UPDATE api_tokens SET principal = ? WHERE id = ?", (name, token_id))
    desk = service.desk
    with desk.store.writing() as unit:
        kept = unit.tokens.find(token_id)
        assert kept is not None
        unit.audit.append(
            Act.TOKEN_CREATED, token_id, actor="boot", at=desk.clock(), after=kept.shown.to_wire()
        )
