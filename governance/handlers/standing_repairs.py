"""What stands and was changed by SQL: versions of rules, the checklist, cooldowns, validations.

Each may loosen what takes two people: a version is what a change of a rule is weighed against, an
item is what readiness is measured by, and a cooldown or a validation keeps a phase from rising.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from governance.audit import Act, state_told
from governance.checklist import ChecklistItem
from governance.provenance.differences import GONE, UNTOLD, Difference
from governance.provenance.standing import Standing
from governance.store import Unit
from governance.store.autonomy import read_autonomy
from governance.validation import Validation
from schemas.rules import RuleVersion

VERSIONS: Final = "circuit_breaker_rule_versions"
ITEMS: Final = "checklist_items"
COOLDOWNS: Final = "cooldowns"
VALIDATIONS: Final = "validations"

Row = Mapping[str, Any]


def standing_differences(unit: Unit, told: Standing, now: datetime) -> Iterator[Difference]:
    """Return how what stands differs from what is told; what only tightens is left out.

    Nothing is compared of which the log tells nothing.
    """
    yield from _of_versions(unit, told.rules)
    yield from _of_items(unit, told.items)
    for name, one in told.cooldowns.items():
        if not one.is_over(now) and one not in unit.trials.cooldowns():
            yield Difference(COOLDOWNS, name, ("row",))
    running = told.validation
    if running is not None and running.ended_at is None and not _is_tried(unit, running):
        yield Difference(VALIDATIONS, running.proposal_id, ("row",))


def is_forged(unit: Unit, told: Standing) -> bool:
    """Whether the seal of the state is not what the log told last: SQL wrote it."""
    written = unit.autonomy.sealed()
    if told.state is None or written is None:
        return False
    return state_told(read_autonomy(written).facts()) != told.state


def put_standing_back(unit: Unit, told: Standing, found: Difference) -> dict[str, Any]:
    """Put back what *found* names to what is told; return what the audit log keeps of it."""
    if found.table == VERSIONS:
        unit.rules.put_version_back(found.id, told.rules.get(found.id))
    elif found.table == ITEMS:
        unit.readiness.put_item_back(found.id, told.items.get(found.id))
    elif found.table == COOLDOWNS:
        unit.trials.put_cooldown_back(told.cooldowns[found.id])
    elif told.validation is not None:
        made_up = [name for name in unit.trials.tried() if not _was_tried(unit, name)]
        unit.trials.put_validation_back(told.validation, made_up=made_up)
    return {"removed": found.fields == UNTOLD}


def _of_versions(unit: Unit, told: Mapping[str, RuleVersion]) -> Iterator[Difference]:
    """Return the rules whose last version is not the one that is told."""
    if not told:
        return
    newest = {row["name"]: row for row in unit.records.newest_versions()}
    for name, version in told.items():
        row = newest.pop(name, None)
        if row is None:
            yield Difference(VERSIONS, name, GONE)
        elif not _is_version(row, version):
            yield Difference(VERSIONS, name, ("version", "rule"))
    for name in newest:
        yield Difference(VERSIONS, name, UNTOLD)


def _is_version(row: Row, told: RuleVersion) -> bool:
    """Whether a stored version is the one that is told."""
    try:
        found = RuleVersion.model_validate(
            {**row, "rule": json.loads(row["rule"]) if row["rule"] else None}
        )
    except (ValueError, TypeError):
        return False
    return found.to_wire() == told.to_wire()


def _of_items(unit: Unit, told: Mapping[str, ChecklistItem]) -> Iterator[Difference]:
    """Return the items of the checklist that are not as they are told."""
    if not told:
        return
    rows = {row["name"]: row for row in unit.records.checklist_rows()}
    for name, item in told.items():
        row = rows.pop(name, None)
        if row is None:
            yield Difference(ITEMS, name, GONE)
        elif fields := _of_item(row, item):
            yield Difference(ITEMS, name, fields)
    for name in rows:
        yield Difference(ITEMS, name, UNTOLD)


def _of_item(row: Row, told: ChecklistItem) -> tuple[str, ...]:
    """Return the columns of an item that say something else than what is told."""
    wanted = {**told.model_dump(mode="json"), "kind": told.kind.value}
    names = ("category", "weight", "required", "kind", "check", "flag", "max_age_days")
    return tuple(name for name in names if row[name] != wanted[name])


def _is_tried(unit: Unit, told: Validation) -> bool:
    """Whether the last validation is the one that is told, whatever its progress."""
    latest = unit.trials.latest()
    return latest is not None and _plain(latest) == _plain(told)


def _was_tried(unit: Unit, proposal_id: str) -> bool:
    """Whether the log tells of a validation; reads the whole log, since SQL made one up."""
    return any(row.act == Act.VALIDATION_STARTED for row in unit.audit.of_subject(proposal_id))


def _plain(validation: Validation) -> dict[str, Any]:
    """Return a validation without its progress, which is written without a row of its own."""
    return {**validation.to_wire(), "progress": None}
