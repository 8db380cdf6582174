"""The rules that a new installation starts with, from ``defaults.yaml`` beside this file."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from rules.live import check_rule
from schemas.rules import Rule


@cache
def default_rules() -> tuple[Rule, ...]:
    """Return the default rules, checked, in the order in which people read them.

    Raises:
        RuleError: the file was changed into something that cannot go live.
    """
    text = files("rules").joinpath("defaults.yaml").read_text(encoding="utf-8")
    rules = tuple(Rule.model_validate(row) for row in yaml.safe_load(text))
    for rule in rules:
        check_rule(rule)
    return rules
