"""The phase table, cooldowns, validations and proposals: pure, from facts to decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from governance import phases
from governance.autonomy import Autonomy
from governance.cooldown import cooldown_after
from governance.ladder import ApproverRole, RiskLevel, known_command_types, next_rise, rise_to
from governance.proposals import Basis, Circumstances, digest_of, obstacles, opened, what_moved
from governance.readiness import Assessment
from governance.risk import assess_risk
from governance.validation import Criteria, Validation, ValidationStatus, judged
from schemas.errors import PhaseSkipped
from schemas.events import Severity
from schemas.governance import LADDER, Phase
from tests.desks import NOON
from tests.unit.governance.assessing import assessment, counted, good_facts

DAY = timedelta(days=1)
READY = assessment()
CALM = counted(succeeded=5_990, failed=10)
FREE = Circumstances(
    phase=Phase.L3,
    phase_start=NOON - 180 * DAY,
    unresolved=0,
    pending=None,
    validating=False,
    cooldown_until=None,
)
TRIAL = Validation(
    proposal_id="p",
    phase=Phase.L4,
    previous_phase=Phase.L3_PLUS,
    started_at=NOON,
    ends_at=NOON + 20 * DAY,
    criteria=Criteria(samples=200),
)


def test_the_table_is_the_contracts() -> None:
    """Each rise adds, lasts and asks for what the runbook's table says."""
    rises = [rise for phase in LADDER if (rise := next_rise(phase, {}))]
    assert [(r.target.value, r.adds, r.validation.days, len(r.roles)) for r in rises] == [
        ("L3+", ("SET_POWER", "SET_FAN"), 14, 1),
        ("L4", ("SET_DRUM", "SET_AIRFLOW"), 21, 2),
        ("L4+", ("PREHEAT", "COOLING_CYCLE"), 30, 3),
        ("L5", ("EMERGENCY_SHUTDOWN", "ABORT"), 60, 4),
    ]
    assert rises[-1].roles == tuple(ApproverRole)
    assert next_rise(Phase.L5, {}) is None
    assert rise_to(Phase.L3, {}) is None


def test_an_installation_sets_what_a_phase_adds() -> None:
    """Its own names replace those of the table, for that phase only."""
    own = {Phase.L4: ["BREW"]}
    rise = rise_to(Phase.L4, own)
    assert rise is not None
    assert rise.adds == ("BREW",)
    assert {"BREW", "ABORT"} <= known_command_types(own)
    assert "SET_DRUM" not in known_command_types(own)


@pytest.mark.parametrize(
    ("severity", "days_before", "length"),
    [
        (Severity.CRITICAL, [], 30),
        (Severity.HIGH, [], 7),
        (Severity.HIGH, [91], 7),
        (Severity.HIGH, [89], 14),
        (Severity.CRITICAL, [10, 80, 200], 120),
        (Severity.CRITICAL, [1] * 9, 365),
    ],
)
def test_a_cooldown_doubles_when_it_repeats(
    severity: Severity, days_before: list[int], length: int
) -> None:
    """Each demotion within ninety days doubles it, up to a year."""
    first = timedelta(days=30 if severity is Severity.CRITICAL else 7)
    earlier = [NOON - days * DAY for days in days_before]
    found = cooldown_after(severity, earlier, first=first, cause="x", now=NOON)
    assert found.until - NOON == timedelta(days=length)
    assert not found.is_over(found.until - DAY)
    assert found.is_over(found.until)


BY_ITSELF, FAILED = "succeeded_autonomous", "failed_autonomous"


@pytest.mark.parametrize(
    ("columns", "days", "status"),
    [
        ({BY_ITSELF: 199, FAILED: 1}, 1, ValidationStatus.RUNNING),
        ({BY_ITSELF: 198, FAILED: 2}, 1, ValidationStatus.FAILED),
        ({BY_ITSELF: 100, FAILED: 99}, 1, ValidationStatus.RUNNING),
        ({BY_ITSELF: 5, "incident_critical_autonomous": 1}, 1, ValidationStatus.FAILED),
        ({BY_ITSELF: 5, "incident_critical": 1}, 1, ValidationStatus.RUNNING),
        ({BY_ITSELF: 5, "incident_high": 9}, 1, ValidationStatus.RUNNING),
        ({BY_ITSELF: 199, FAILED: 1, "failed": 90}, 1, ValidationStatus.RUNNING),
        ({BY_ITSELF: 198, FAILED: 2, "succeeded": 9_000}, 1, ValidationStatus.FAILED),
        ({BY_ITSELF: 200}, 20, ValidationStatus.SUCCESSFUL),
        ({BY_ITSELF: 199, "succeeded": 9_000}, 20, ValidationStatus.RUNNING),
        ({}, 19, ValidationStatus.RUNNING),
    ],
)
def test_a_validation_stands_on_enough_attempts(
    columns: dict[str, int], days: int, status: ValidationStatus
) -> None:
    """Few attempts fail nothing and succeed in nothing; a critical incident always fails.

    What people had approved counts neither for the phase nor against it.
    """
    seen = judged(TRIAL, counted(**columns), NOON + days * DAY)
    assert seen.status is status
    assert (seen.ended_at is None) == (status is ValidationStatus.RUNNING)


def test_an_undecided_validation_goes_on_once_and_then_waits_for_people() -> None:
    """Twice as long, then inconclusive for as long as nobody decides; a failure still fails."""
    few = counted(succeeded_autonomous=3)
    longer = judged(TRIAL, few, NOON + 20 * DAY)
    assert (longer.extended, longer.ends_at) == (True, NOON + 40 * DAY)
    waits = judged(longer, few, NOON + 40 * DAY)
    assert (waits.status, waits.ended_at) == (ValidationStatus.INCONCLUSIVE, None)
    later = judged(waits, counted(succeeded_autonomous=900), NOON + 50 * DAY)
    assert later.status is ValidationStatus.INCONCLUSIVE
    failed = judged(waits, counted(incident_critical_autonomous=1), NOON + 50 * DAY)
    assert (failed.status, failed.severity) == (ValidationStatus.FAILED, Severity.CRITICAL)
    assert judged(failed, CALM, NOON + 51 * DAY) == failed


def test_a_validation_counts_from_the_first_whole_minute() -> None:
    """What happened in the minute of the rise itself may have been before it."""
    assert TRIAL.counted_from == NOON
    begun = TRIAL.model_copy(update={"started_at": NOON + timedelta(seconds=1)})
    assert begun.counted_from == NOON + timedelta(minutes=1)


def _around(**changes: Any) -> Circumstances:
    """Return free circumstances with *changes*."""
    fields = {name: getattr(FREE, name) for name in FREE.__slots__}
    return Circumstances(**{**fields, **changes})


@pytest.mark.parametrize(
    ("found", "around", "why"),
    [
        (assessment(but=["Runbooks for autonomous actions"]), FREE, "not ready"),
        (assessment(facts=good_facts(unresolved=1)), FREE, "not ready"),
        (READY, _around(unresolved=2), "2 breaker event(s)"),
        (READY, _around(pending="p-1"), "p-1 is pending"),
        (READY, _around(phase_start=NOON - 179 * DAY), "179 of 180 days"),
        (READY, _around(phase=Phase.L4), "another phase"),
        (READY, _around(validating=True), "still being validated"),
        (READY, _around(cooldown_until=NOON + DAY), "cooldown"),
    ],
)
def test_a_rise_is_proposed_only_when_nothing_stands_against_it(
    found: Assessment, around: Circumstances, why: str
) -> None:
    """Each condition alone keeps it from being proposed, and is named."""
    assert why in "; ".join(obstacles(found, around, NOON))
    assert obstacles(READY, FREE, NOON) == []
    assert obstacles(READY, _around(cooldown_until=NOON), NOON) == []


@pytest.mark.parametrize(
    ("metrics", "trips", "level"),
    [
        (CALM, 0, RiskLevel.LOW),
        (counted(succeeded=999), 0, RiskLevel.MEDIUM),
        (counted(succeeded=9_960, failed=40), 0, RiskLevel.MEDIUM),
        (CALM, 5, RiskLevel.MEDIUM),
    ],
)
def test_thin_or_troubled_evidence_raises_the_risk(
    metrics: Any, trips: int, level: RiskLevel
) -> None:
    """The level goes up once, says why, and brings more mitigations along."""
    rise = next_rise(Phase.L3, {})
    assert rise is not None
    found = assess_risk(rise, metrics, trips=trips, never_ran=["SET_DRUMS"])
    assert found.reasons[-1] == "SET_DRUMS never ran here: check its name"
    assert (found.level, len(found.reasons) > 2) == (level, level is not RiskLevel.LOW)
    assert len(found.mitigations) == 3 + (level is not RiskLevel.LOW)


def test_a_digest_names_everything_that_is_approved() -> None:
    """Another epoch, command type, risk or rationale is another digest; the same is the same."""
    rise = next_rise(Phase.L3, {})
    assert rise is not None
    basis = opened_basis()
    one = opened(rise, assessment=READY, metrics=CALM, trips=0, basis=basis,
                 lifetime=14 * DAY, now=NOON)  # fmt: skip
    other = basis.model_copy(update={"autonomy_epoch": 2})
    parts = (one.expansion, one.rationale, one.risk_assessment)
    wider = one.expansion.model_copy(update={"commands_to_whitelist": ["ABORT"]})
    assert digest_of(*parts, basis) == one.digest
    assert digest_of(*parts, other) != one.digest
    assert digest_of(wider, *parts[1:], basis) != one.digest
    again = one.__class__.model_validate_json(one.model_dump_json(by_alias=True))
    assert digest_of(again.expansion, again.rationale, again.risk_assessment, basis) == one.digest
    assert what_moved(basis, other) == ["autonomy was lowered (epoch 1 → 2)"]
    assert one.on(other).version == 2


def opened_basis() -> Basis:
    """Return what a quiet installation is bound to."""
    return Basis(
        ruleset_version="r",
        autonomy_epoch=1,
        blockers=[],
        unresolved_events=[],
        newest_event=None,
    )


@pytest.mark.parametrize("target", [phase for phase in Phase if phase is not Phase.L4])
def test_a_promotion_goes_one_step_up(target: Phase) -> None:
    """Every other target than the next phase is refused; the epoch stays as it is."""
    state = Autonomy(Phase.L3_PLUS, NOON - DAY, ("A",), ("B",), epoch=4)
    with pytest.raises(PhaseSkipped):
        phases.promoted(state, target, adds=["C"], now=NOON)
    up = phases.promoted(state, Phase.L4, adds=["C"], now=NOON)
    assert (up.phase, up.command_whitelist, up.paused_command_types) == (
        Phase.L4,
        ("A", "C"),
        ("B",),
    )
    assert (up.epoch, up.phase_start_date, up.last_expansion_date) == (4, NOON, NOON)
