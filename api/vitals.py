"""Vitals: the parts' health, put together into one answer."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Final

from api.shapes import HealthReport, Readiness
from governance.health import Health, worst
from governance.service import StateService

VERSION: Final = version("autonomy-governance")


def health_report(service: StateService, started: float) -> HealthReport:
    """Return how the whole is; *started* is a moment of the monotonic clock."""
    checks = service.health()
    return HealthReport(
        **service.standing().model_dump(),
        status=worst(list(checks.values())),
        timestamp=service.desk.clock(),
        uptime=_uptime(started),
        version=VERSION,
        reasons=[
            f"{part}: {check.message or check.status}"
            for part, check in checks.items()
            if check.status is not Health.HEALTHY
        ],
    )


def readiness(service: StateService, started: float) -> Readiness:
    """Return how each part is; *started* is a moment of the monotonic clock."""
    checks = service.health()
    return Readiness(
        **service.standing().model_dump(),
        status=worst(list(checks.values())),
        timestamp=service.desk.clock(),
        uptime=_uptime(started),
        checks=checks,
    )


def _uptime(started: float) -> float:
    """Return the seconds since *started*, to a millisecond."""
    return round(time.monotonic() - started, 3)
