"""Risk: what a rise puts at stake, and what is done about it.

A rise has a risk of its own, by what it allows. Thin or troubled evidence raises it a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from governance.ladder import Rise, RiskLevel
from governance.metrics import PeriodMetrics

THIN: Final = 1_000
"""Attempts in a month below which a rate is not much to stand on: 5 failures are 0.5 %."""

CLOSE: Final = 0.997
"""A success rate below this is nearer to the 0.995 that fails a validation than to 1."""

TROUBLED: Final = 5
"""Trips in a month from which calm can no longer be assumed."""


@dataclass(frozen=True, slots=True)
class Risk:
    """A level with what led to it, and what is done about it."""

    level: RiskLevel
    reasons: tuple[str, ...]
    mitigations: tuple[str, ...]


def assess_risk(
    rise: Rise, metrics: PeriodMetrics, *, trips: int, never_ran: Sequence[str] = ()
) -> Risk:
    """Return the risk of *rise* on a month's *metrics*, in which breakers tripped *trips* times.

    The command types *never_ran* are named, and raise nothing: what never runs does no harm, and
    once it does, the validation judges it.
    """
    doubts = _doubts(metrics, trips)
    level = _raised(rise.inherent_risk) if doubts else rise.inherent_risk
    inherent = f"{rise.target} is of {rise.inherent_risk} risk by what it allows"
    unknown = [f"{name} never ran here: check its name" for name in never_ran]
    return Risk(level, (inherent, *doubts, *unknown), _mitigations(rise, level))


def _doubts(metrics: PeriodMetrics, trips: int) -> tuple[str, ...]:
    """Return what speaks against trusting the evidence."""
    attempts = metrics.commands.succeeded + metrics.commands.failed
    rate = metrics.rates.success_rate
    found = (
        (attempts < THIN, f"only {attempts} attempts in a month"),
        (rate is not None and rate < CLOSE, f"the success rate {rate or 0:.2%} is close to 99.5%"),
        (trips >= TROUBLED, f"breakers tripped {trips} times in a month"),
    )
    return tuple(said for stands, said in found if stands)


def _raised(level: RiskLevel) -> RiskLevel:
    """Return the next higher level; high stays."""
    return list(RiskLevel)[min(level.rank, len(RiskLevel) - 1)]


def _mitigations(rise: Rise, level: RiskLevel) -> tuple[str, ...]:
    """Return what is done about the risk, more of it the higher it is."""
    names = ", ".join(rise.adds) or "no command type"
    always = (
        f"Only {names} may run by themselves in addition",
        f"Every criterion is watched for {rise.validation.days} days; failing one demotes",
        "Breakers revert to L3 or pause a command type within a second of a trip",
    )
    watched = ("Look at the dashboard twice a day during the validation period",)
    guarded = (
        "Keep somebody at the controls while these commands run",
        "Test the kill switch first",
    )
    return always + watched * (level.rank >= 2) + guarded * (level.rank >= 3)
