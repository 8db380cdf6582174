"""Rules as written, and from when a change is in force."""

from datetime import UTC, datetime

import pytest

from governance.rulebook import in_force_from, read_rule
from schemas.errors import RuleError
from schemas.wire import from_ms, to_ms
from tests.desks import NOON

FIELDS = {
    "name": "New Rule",
    "enabled": 1,
    "condition": "errorRate > 0.5",
    "window": "5m",
    "action": "alert_only",
    "alert_severity": "medium",
}


def test_a_change_is_in_force_a_lead_ahead_at_a_cut() -> None:
    """Judges decide at multiples of 100 ms, so a change begins at one, and not before its lead."""
    for late in (1, 50, 99):
        now = from_ms(to_ms(NOON) + late)
        assert in_force_from(now, lead=1_500) == to_ms(NOON) + 1_600
    assert in_force_from(NOON, lead=1_500) == to_ms(NOON) + 1_500


def test_a_change_is_never_in_force_before_the_one_that_it_replaces() -> None:
    """A clock that was put back does not resurrect an older version."""
    yesterday = datetime(2026, 11, 22, tzinfo=UTC)
    assert in_force_from(yesterday, lead=1_500, after=to_ms(NOON)) == to_ms(NOON)


def test_a_row_is_read_as_a_rule() -> None:
    """SQL's 1 is true."""
    assert read_rule(FIELDS).enabled is True


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("window", "10min", "window"),
        ("action", "explode", "action"),
        ("alert_severity", "urgent", "alert"),
        ("condition", None, "condition"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object, said: str) -> None:
    """Whoever wrote the rule learns which field to mend."""
    with pytest.raises(RuleError, match=said):
        read_rule({**FIELDS, field: value})
