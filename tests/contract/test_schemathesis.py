"""Over two thousand requests made from the document itself, with every check of schemathesis.

Half are asked in open mode and half with tokens on, by a lead; whatever a lead is let do is
asked again by nobody and with a wrong token, which is the check `ignored_auth`. Some more are
asked by nobody from the start, and some in chains, where one answer leads to the next request.
The seed is fixed, so that a failure comes back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import IgnoredAuth
from schemathesis.specs.openapi.checks import use_after_free
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from api.openapi import BEARER
from governance import handlers
from governance.callers import Role
from governance.service import StateService
from schemas.settings import Settings
from tests.scripts.write_openapi import present_document

CASES = 2_600
"""Asked for; operations that take nothing have fewer, and more than 2,000 are sent."""

ENDLESS = "/api/stream"
OPERATIONS = [
    (method.upper(), path)
    for path, item in present_document()["paths"].items()
    for method in item
    if path != ENDLESS
]
EACH = -(-CASES // (2 * len(OPERATIONS)))
"""Cases for each operation in each mode."""

HOME = "http://localhost:4007"

MEANT = ["2xx", "400", "401", "403", "404", "409", "412", "422"]
"""A request can fit its schema and still mean nothing: a condition that is no condition."""

CONFIGURATION = {
    "checks": {"positive_data_acceptance": {"expected-statuses": MEANT}},
    # There is no Kafka here, and that is what the answer says.
    "operations": [
        {
            "include-path": "/ready",
            "checks": {
                "not_a_server_error": {"expected-statuses": ["200", "503"]},
                "positive_data_acceptance": {"expected-statuses": ["200", "503"]},
            },
        }
    ],
}

load_all_checks()


class FromEverywhere:
    """Every request comes from an address of its own: wrong tokens from one have to wait."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        caller = (f"caller-{next(self._numbers)}", 1)
        await self.app({**scope, "client": caller}, receive, send)


class Careless:
    """Takes everybody for the lead: a service that declares authentication and ignores it."""

    def __init__(self, app: ASGIApp, lead: str) -> None:
        self.app = app
        self._lead = lead

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on in the lead's name."""
        headers = MutableHeaders(raw=list(scope["headers"]))
        headers["Authorization"] = f"Bearer {self._lead}"
        await self.app({**scope, "headers": headers.raw}, receive, send)


@dataclass(frozen=True)
class Door:
    """The application in one mode, its document, and a lead's token; none in open mode.

    `renew` puts an application as it is after its first start in the place of the one before.
    """

    app: ASGIApp
    document: dict[str, Any]
    lead: str
    renew: Callable[[], None]

    def schema(self, token: str = "") -> Any:
        """Return the document as schemathesis reads it, which asks with *token*."""
        proof = {"auth": {"openapi": {BEARER: {"bearer": token}}}} if token else {}
        config = SchemathesisConfig.from_dict({**CONFIGURATION, **proof})
        schema = schemathesis.openapi.from_dict(self.document, config=config)
        schema.app = self.app
        return schema


def _first_start(chosen: Settings) -> str:
    """Leave a database as the first start does; return a lead's token if *chosen* asks for one."""
    service = StateService(chosen)
    service.store.migrate()
    handlers.create(service.desk)
    lead = ""
    if chosen.auth == "token":
        _, lead = handlers.create_token(service.desk, "lead", [Role.TECH_LEAD], by="the test")
    service.store.close()
    return lead


def _door(mode: str, folder: Path) -> Iterator[Door]:
    """Return the application in *mode*, on a database of its own."""
    chosen = Settings(
        kafka_bootstrap_servers="127.0.0.1:1",
        db_path=folder / "first.db",
        auth=mode,
        requests_per_minute=1_000_000,
    )
    lead = _first_start(chosen)
    opened: list[StateService] = []

    def fresh() -> Any:
        """Return an application over a copy of that database."""
        for service in opened:
            service.store.close()
        file = folder / f"governance-{len(opened)}.db"
        shutil.copy(chosen.db_path, file)
        here = chosen.model_copy(update={"db_path": file})
        opened.append(StateService(here))
        return create_app(opened[-1], here)

    app = fresh()
    outside = FromEverywhere(app)

    def renew() -> None:
        outside.app = fresh()

    yield Door(outside, app.openapi(), lead, renew)
    opened[-1].store.close()


@pytest.fixture(scope="module", params=["open", "token"])
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """Return the application in each mode."""
    yield from _door(request.param, tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Return the application with tokens on."""
    yield from _door("token", tmp_path_factory.mktemp("guarded"))


def _hold(schema: Any, method: str, path: str, *, cases: int) -> None:
    """Ask one operation *cases* times, and check each answer."""
    operation = schema[path][method]
    made = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @seed(20261123)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=made)
    def hold(case: Any) -> None:
        case.call_and_validate(base_url=HOME)

    hold()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_service_keeps_to_its_document(door: Door, method: str, path: str) -> None:
    """No request makes a 5xx, and every status, header and body is one that is declared."""
    _hold(door.schema(door.lead), method, path, cases=EACH)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_it_keeps_to_its_document_for_nobody_too(guarded: Door, method: str, path: str) -> None:
    """Without a token, or with one that was made up, the answers are declared as well."""
    _hold(guarded.schema(), method, path, cases=3)


def test_one_answer_leads_to_the_next_request(door: Door) -> None:
    """What an answer names is asked for next, and those answers are declared too.

    Each chain begins with the same state: what an answer names decides what is drawn next. A
    deletion that waits for a second person (202) has deleted nothing yet: what it names may
    be asked for afterwards.
    """

    class Chain(door.schema(door.lead).as_state_machine()):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            door.renew()
            self.waiting: set[str] = set()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            """Ask where we are."""
            return {"base_url": HOME}

        def after_call(self, response: Any, case: Any) -> None:
            """Note which deletions of this chain wait."""
            if case.method == "DELETE" and response.status_code == 202:
                self.waiting.add(case.formatted_path)
            elif case.method == "DELETE" and 200 <= response.status_code < 300:
                self.waiting.discard(case.formatted_path)

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            """Check everything; whether a thing is gone only where its deletion was done."""
            stays = case.formatted_path in self.waiting
            case.validate_response(
                response,
                excluded_checks=[use_after_free] if stays else [],
                transport_kwargs=kwargs,
            )

    run_state_machine_as_test(
        Chain,
        settings=settings(
            max_examples=20,
            stateful_step_count=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("path", ["/api/governance/state", "/metrics"])
def test_a_service_that_ignores_authentication_is_found(guarded: Door, path: str) -> None:
    """The check is awake: one that takes nobody for a lead does not pass."""
    careless = replace(guarded, app=Careless(guarded.app, guarded.lead)).schema(guarded.lead)

    with pytest.raises(FailureGroup) as found:
        _hold(careless, "GET", path, cases=1)
    assert any(isinstance(one, IgnoredAuth) for one in found.value.exceptions)
