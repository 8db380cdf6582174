"""What tests of the rules are about: counts by column name, and rules by field."""

from __future__ import annotations

from typing import Any

from rules.live import LiveRule, check_rule
from schemas.rules import Rule
from schemas.tallies import WIDTH, Column

WINDOW = 300_000


def counts(**columns: int) -> list[int]:
    """Return a row of counts: ``counts(succeeded=90, failed=7)``."""
    row = [0] * WIDTH
    for name, number in columns.items():
        row[Column[name.upper()]] = number
    return row


def rule(**fields: Any) -> Rule:
    """Return the default error rate rule with some fields changed, by their wire names."""
    written = {
        "name": "High Error Rate",
        "condition": "errorRate > 0.05",
        "window": "5m",
        "action": "alert_only",
        "alertSeverity": "medium",
    }
    return Rule.model_validate(written | fields)


def live(**fields: Any) -> LiveRule:
    """Return such a rule, checked and compiled."""
    return check_rule(rule(**fields))
