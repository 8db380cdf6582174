"""Two thousand requests made from the document itself, with every check that schemathesis has.

Half are asked in open mode and half with tokens on, by a lead and by nobody. The seed is
fixed, so that a failure comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from api.app import create_app
from governance import handlers
from governance.callers import Role
from governance.service import StateService
from schemas.settings import Settings
from tests.scripts.write_openapi import present_document

CASES = 2_000
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

CONFIGURATION = SchemathesisConfig.from_dict(
    {
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
)

load_all_checks()


@pytest.fixture(scope="module", params=["open", "token"])
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FastAPI, dict[str, str]]]:
    """Return the application in one mode, and a lead's headers."""
    path: Path = tmp_path_factory.mktemp("cases") / "governance.db"
    chosen = Settings(
        kafka_bootstrap_servers="127.0.0.1:1",
        db_path=path,
        auth=request.param,
        requests_per_minute=1_000_000,
    )
    service = StateService(chosen)
    service.store.migrate()
    handlers.create(service.desk)
    headers = {}
    if request.param == "token":
        _, spelling = handlers.create_token(service.desk, "lead", [Role.TECH_LEAD], by="the test")
        headers = {"Authorization": f"Bearer {spelling}"}
    app = create_app(service, chosen)
    yield app, headers
    service.store.close()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_service_keeps_to_its_document(
    door: tuple[FastAPI, dict[str, str]], method: str, path: str
) -> None:
    """No request makes a 5xx, and every status, header and body is one that is declared."""
    app, headers = door
    schema = schemathesis.openapi.from_dict(app.openapi(), config=CONFIGURATION)
    schema.app = app
    operation = schema[path][method]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @seed(20261123)
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def hold(case: Any) -> None:
        case.call_and_validate(base_url=HOME, headers=headers)

    hold()
