"""What was published on the control topics, as models: rules, the state, and resolutions.

Pure: `ControlTopics` brings the records, this says what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from schemas.governance import STATE_TOPIC, StateRecord
from schemas.rules import RuleVersion

GOVERNANCE: Final = "governance"
"""The key of the state as a whole."""

EPOCH: Final = "epoch/"
RESOLUTION: Final = "resolution/"
PROTECTION: Final = "protection/"
"""What the keys of epochs, resolutions and versions of the protected types begin with."""


@dataclass(frozen=True, slots=True)
class Published:
    """The newest record of each key: ``rules`` by name and version, ``epochs`` by number.

    ``unusable`` has the highest version of each rule that is there and cannot be read by this
    program. ``resolutions`` are the ids of the trips that people resolved, ``protections`` the
    versions of the protected command types.
    """

    rules: Mapping[str, Mapping[int, RuleVersion]] = field(default_factory=dict)
    unusable: Mapping[str, int] = field(default_factory=dict)
    state: StateRecord | None = None
    epochs: Mapping[int, StateRecord] = field(default_factory=dict)
    resolutions: frozenset[str] = frozenset()
    protections: frozenset[int] = frozenset()

    @property
    def newest_rules(self) -> dict[str, RuleVersion]:
        """Return the highest version of each rule."""
        return {name: found[max(found)] for name, found in self.rules.items()}


def read_published(rules: Mapping[str, bytes], state: Mapping[str, bytes]) -> Published:
    """Return what the records of ``rules`` and ``state`` say, each by its key.

    A record that nobody can read says nothing, save that its version is taken.
    """
    versions, unusable = _rules(rules)
    epochs: dict[int, StateRecord] = {}
    for key, value in state.items():
        if key.startswith(EPOCH) and (record := read_state(value)) is not None:
            epochs[record.autonomy_epoch] = record
    return Published(
        rules=versions,
        unusable=unusable,
        state=read_state(state[GOVERNANCE]) if GOVERNANCE in state else None,
        epochs=epochs,
        resolutions=frozenset(
            key.removeprefix(RESOLUTION) for key in state if key.startswith(RESOLUTION)
        ),
        protections=frozenset(
            int(number)
            for key in state
            if key.startswith(PROTECTION) and (number := key.removeprefix(PROTECTION)).isdecimal()
        ),
    )


def read_rule_version(value: bytes) -> RuleVersion | None:
    """Return the rule version in a record, or None if it cannot be read."""
    try:
        return RuleVersion.model_validate_json(value)
    except ValidationError:
        return None


def read_state(value: bytes) -> StateRecord | None:
    """Return the state in a record, or None if it holds something else or cannot be read."""
    try:
        record = STATE_TOPIC.validate_json(value)
    except ValidationError:
        return None
    return record if isinstance(record, StateRecord) else None


def _rules(
    records: Mapping[str, bytes],
) -> tuple[dict[str, dict[int, RuleVersion]], dict[str, int]]:
    """Return the versions by name, and the highest of those that cannot be read."""
    versions: dict[str, dict[int, RuleVersion]] = {}
    unusable: dict[str, int] = {}
    for value in records.values():
        version = read_rule_version(value)
        if version is not None:
            versions.setdefault(version.name, {})[version.version] = version
        elif (named := _named(value)) is not None:
            name, number = named
            unusable[name] = max(number, unusable.get(name, 0))
    return versions, unusable


def _named(value: bytes) -> tuple[str, int] | None:
    """Return the name and number that a version of a newer program still shows."""
    try:
        found: Any = json.loads(value)
        return str(found["name"]), int(found["version"])
    except (ValueError, TypeError, KeyError):
        return None
