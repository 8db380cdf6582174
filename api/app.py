"""The application: the layers around every request, and the routes.

    SafeHeaders ─ Heads ─ Traffic ─ Guard ─ Failures ─ Gate ─ Bodies ─ Lanes ─ Replays ─ routes

From outside inwards: every answer is dressed, every request counted, the foreign and the
unknown and the oversized turned away before a route sees them, and what nobody foresaw caught.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry

from api.auth.gate import Gate, check_route
from api.bodies import Bodies
from api.connections import Connections, most_of
from api.exposition import GovernanceMetrics
from api.failures import Failures, add_failures
from api.guard import Guard
from api.headers import Heads, SafeHeaders
from api.lanes import Lanes
from api.live import Live
from api.openapi import document_of, operation_id
from api.replays import Replays
from api.routes import (
    documents,
    events,
    health,
    joint_acts,
    kill_switch,
    ladder,
    metrics,
    proposals,
    readiness,
    reports,
    rules,
    state,
    stream,
)
from api.traffic import ConnectionMetrics, Traffic, TrafficMetrics
from api.vitals import VERSION
from governance.service import StateService
from schemas.descriptors import limit
from schemas.settings import Settings

ROUTERS = (
    health,
    state,
    kill_switch,
    proposals,
    joint_acts,
    ladder,
    events,
    rules,
    metrics,
    readiness,
    reports,
    stream,
    documents,
)
"""In the order in which the documents show them."""

DESCRIPTION = (
    "Watches what autonomous executors do, takes autonomy away when it goes wrong, and lets "
    "people decide when it comes back."
)


def create_app(service: StateService, settings: Settings) -> FastAPI:
    """Return the application over *service*, whose threads its owner starts and stops."""
    app = FastAPI(
        title="Autonomy Governance",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        dependencies=[Depends(check_route)],
    )
    app.state.service = service
    app.state.started = time.monotonic()
    app.state.live = Live(service.feed, service.desk)
    app.state.connections = Connections(most_of(limit()))
    app.state.registry = CollectorRegistry()
    app.state.registry.register(GovernanceMetrics(service, settings.metrics_prefix))
    app.openapi = lambda: document_of(app, mode=settings.auth)  # type: ignore[method-assign]
    for module in ROUTERS:
        app.include_router(module.router)
    add_failures(app)
    _add_layers(app, service, settings)
    return app


def _add_layers(app: FastAPI, service: StateService, settings: Settings) -> None:
    """Put the layers around the routes, the innermost first."""
    prefix = settings.metrics_prefix.removesuffix("governance_")
    app.add_middleware(Replays, desk=service.desk)
    app.add_middleware(Lanes)
    app.add_middleware(Bodies)
    app.add_middleware(Gate, desk=service.desk, settings=settings)
    app.add_middleware(Failures)
    app.add_middleware(Guard, any_name=settings.auth != "open")
    traffic = TrafficMetrics(app.state.registry, prefix)
    app.state.registry.register(ConnectionMetrics(prefix, app.state.connections))
    app.add_middleware(Traffic, metrics=traffic)
    app.add_middleware(Heads)
    app.add_middleware(SafeHeaders)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Follow the commits while the application runs."""
    app.state.live.open()
    try:
        yield
    finally:
        app.state.live.close()
