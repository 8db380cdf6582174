"""What every model on the wire promises: names, moments, and no poison."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.events import Severity
from schemas.rules import Action, Rule, RulePatch, RuleVersion
from schemas.wire import from_ms, iso, iso_ms, to_ms, without_nul

MOMENTS = st.integers(-62_135_596_800_000, 253_402_300_799_999)
"""Every millisecond that a datetime can hold."""


@given(moment=MOMENTS)
def test_milliseconds_survive_being_a_datetime(moment: int) -> None:
    """There and back again, from the year 1 to the year 9999, not one is lost."""
    assert to_ms(from_ms(moment)) == moment
    assert to_ms(datetime.fromisoformat(iso_ms(moment))) == moment


@given(moment=MOMENTS, micro=st.integers(0, 999), zone=st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_rounded_down_whatever_its_zone(moment: int, micro: int, zone: int) -> None:
    """Half a millisecond before is the millisecond before; 09:00+02:00 is 07:00Z."""
    written = from_ms(moment) + timedelta(microseconds=micro)
    if 1 < written.year < 9999:  # there is no room for a zone at the ends of time
        written = written.astimezone(timezone(timedelta(minutes=zone)))
    assert to_ms(written) == moment


def test_moments_are_written_in_utc_with_milliseconds() -> None:
    """Every reader and every test compares the same text."""
    local = datetime(2026, 11, 23, 11, 14, 5, 120_999, tzinfo=timezone(timedelta(hours=2)))
    assert iso(local) == "2026-11-23T09:14:05.120Z"


def rule() -> Rule:
    """Return a rule that uses a name which Python does not have."""
    return Rule(
        name="High Error Rate",
        condition="errorRate > 0.05",
        window="5m",
        action=Action.ALERT_ONLY,
        alert_severity=Severity.MEDIUM,
        for_="30s",
    )


def test_names_on_the_wire_are_camel_case() -> None:
    """Python's names are accepted too; only the wire's are written."""
    wire = rule().to_wire()
    assert (wire["alertSeverity"], wire["for"], wire["minSamples"]) == ("medium", "30s", 1)
    assert Rule.model_validate_json(rule().to_bytes()) == rule()
    assert not {name for name in wire if "_" in name}


def test_unknown_fields_are_left_out_and_a_patch_refuses_them() -> None:
    """A newer producer does no harm, but a misspelt change must not look as if it had worked."""
    assert Rule.model_validate(rule().to_wire() | {"newer": 1}) == rule()
    with pytest.raises(ValidationError, match="treshold"):
        RulePatch.model_validate({"treshold": 1})


def test_a_model_cannot_be_changed() -> None:
    """What was read is what was sent."""
    with pytest.raises(ValidationError, match="frozen"):
        rule().window = "1m"  # type: ignore[misc]


def test_nul_is_refused() -> None:
    """No database stores it."""
    assert without_nul("a") == "a"
    with pytest.raises(ValueError, match="must not hold a NUL"):
        without_nul("a\0b")


def test_a_rules_version_names_its_record() -> None:
    """All versions are kept under keys of their own."""
    version = RuleVersion(
        name="High Error Rate",
        version=3,
        effective_from=0,
        rule=rule(),
        changed_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert version.key == "High Error Rate@3"
    assert RuleVersion.model_validate_json(version.to_bytes()) == version


def test_a_rules_summary_has_the_six_fields_that_the_runbook_knows() -> None:
    """No more, and their values are the rule's."""
    summary = rule().summary().to_wire()
    assert sorted(summary) == [
        "action", "alertSeverity", "condition", "enabled", "name", "window",
    ]  # fmt: skip
    assert summary == {name: rule().to_wire()[name] for name in summary}
