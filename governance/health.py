"""What the health checks say: each part's status, its reason in words, and how fast it answers."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from schemas.wire import Wire


class Health(StrEnum):
    """How a part is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Role(StrEnum):
    """What a service is among those on its database."""

    ACTIVE = "active"
    STANDBY = "standby"


class Standing(Wire):
    """Which of the services on one database this is, under which number, and where the other is."""

    role: Role
    fencing: int | None
    active: str | None


class Check(Wire):
    """One line of ``GET /ready``; ``latency`` is in milliseconds."""

    status: Health
    message: str | None = None
    latency: float | None = None
    bootstrap_servers: str | None = None


def worst(checks: list[Check]) -> Health:
    """Return the worst status among *checks*; healthy for none."""
    ranked = list(Health)
    return max((check.status for check in checks), key=ranked.index, default=Health.HEALTHY)


def milliseconds(length: timedelta) -> float:
    """Return *length* in milliseconds, to a tenth."""
    return round(length / timedelta(milliseconds=1), 1)
