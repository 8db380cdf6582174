"""Rules: read, added, changed and deleted; each change is a version with a moment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance import alerts
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.changes import publish, publish_alert
from governance.rulebook import RuleEntry, read_rule
from governance.rules.judged import unjudged
from governance.store import Unit
from governance.store.rules import StoredRule
from rules.direction import Change, Direction, change
from rules.live import make_live
from schemas.errors import Conflict, NotFound, Outdated
from schemas.rules import Rule, RulePatch, RuleVersion
from schemas.topics import RULES


@dataclass(frozen=True, slots=True)
class Weighed:
    """In which direction a change of a rule at *version* goes, why, and what it makes of it."""

    version: int
    change: Change
    after: Rule


def list_rules(desk: Desk, *, enabled_only: bool = False) -> list[RuleEntry]:
    """Return the rules by name, or those of them that are enabled."""
    with desk.store.reading() as unit:
        entries = unit.rules.entries()
        problems = _unjudged(desk, unit)
    shown = [_with_problem(entry, problems) for entry in entries]
    return [entry for entry in shown if entry.enabled or not enabled_only]


def list_unjudged_rules(desk: Desk) -> dict[str, str]:
    """Return the rules that are not judged as they are in force, each with the reason."""
    with desk.store.reading() as unit:
        return _unjudged(desk, unit)


def _unjudged(desk: Desk, unit: Unit) -> dict[str, str]:
    """Compare what judges judge by with what is due; one that is far behind says nothing."""
    judges = desk.judges()
    return unjudged(unit.rules.newest_of_all(), judges) if judges else {}


def _with_problem(entry: RuleEntry, problems: Mapping[str, str]) -> RuleEntry:
    """Return *entry* with the reason why it is not judged, unless it has another problem."""
    if entry.problem or entry.name not in problems:
        return entry
    return entry.model_copy(update={"problem": problems[entry.name]})


def show_rule(desk: Desk, name: str) -> RuleEntry:
    """Return one rule.

    Raises:
        NotFound: there is none; carries near matches.
    """
    with desk.store.reading() as unit:
        return _with_problem(unit.rules.require(name).entry, _unjudged(desk, unit))


def list_rule_versions(desk: Desk, name: str, *, limit: int = 100) -> list[RuleVersion]:
    """Return the versions of a rule, newest first, also of one that was deleted.

    Raises:
        NotFound: there never was such a rule; carries near matches.
    """
    with desk.store.reading() as unit:
        found = unit.rules.versions(name, limit=limit)
        if not found:
            raise NotFound("rule", name, unit.rules.names())
    return found


def add_rule(desk: Desk, rule: Rule, *, by: str) -> RuleEntry:
    """Add a rule; it is in force on every worker from the moment that the answer shows.

    Raises:
        RuleError: it cannot go live.
        Conflict: a rule of that name exists.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        if rule.name in unit.rules.names():
            raise Conflict(
                f"a rule named {rule.name!r} exists", allowed_when="change it, or choose a new name"
            )
        put_rule(desk, unit, rule, by=by, now=now)
        return unit.rules.require(rule.name).entry


def patch_rule(
    desk: Desk, name: str, patch: RulePatch, *, by: str, expected_version: int | None = None
) -> RuleEntry:
    """Change the fields of a rule that *patch* names; a patch that changes nothing makes nothing.

    Raises:
        NotFound: there is none; carries near matches.
        RuleError: it could not go live; the last good version stays in force.
        Outdated: the rule is no longer at *expected_version*.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        stored = unit.rules.require(name)
        _check_expected(stored, expected_version)
        rule = _patched(stored, patch)
        if not _is_in_force(unit, stored, rule):
            put_rule(desk, unit, rule, by=by, now=now)
        return unit.rules.require(name).entry


def weigh_patch(desk: Desk, name: str, patch: RulePatch) -> Weighed:
    """Return whether *patch* would tighten the rule *name* or loosen it, and at which version.

    What is compared is the version in force, whatever SQL made of the row. A row that never was
    in force is a rule that *patch* adds, which takes two people as well.

    Raises:
        NotFound: there is none; carries near matches.
        RuleError: it could not go live.
    """
    with desk.store.reading() as unit:
        stored = unit.rules.require(name)
        last = unit.rules.newest(name)
    after = _patched(stored, patch)
    if last is None or last.rule is None:
        return Weighed(stored.entry.version, Change(Direction.LOOSER, ("added",)), after)
    return Weighed(stored.entry.version, change(last.rule, after), after)


def delete_rule(
    desk: Desk, name: str, *, by: str, expected_version: int | None = None
) -> RuleVersion:
    """Delete a rule; its versions and its events stay. Returns the version that ends it.

    Raises:
        NotFound: there is none; carries near matches.
        Outdated: the rule is no longer at *expected_version*.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        _check_expected(unit.rules.require(name), expected_version)
        return end_rule(desk, unit, name, by=by, now=now)


def put_rule(
    desk: Desk,
    unit: Unit,
    rule: Rule,
    *,
    by: str,
    now: datetime,
    beyond: RuleVersion | None = None,
) -> RuleVersion:
    """Write *rule* as the next version of its name, and tell judges and subscribers.

    It follows on *beyond* where workers know that version and this database does not.

    Raises:
        RuleError: it cannot go live; nothing was written.
    """
    last = unit.rules.newest(rule.name)
    version = _next(desk, beyond or last, name=rule.name, rule=rule, by=by, now=now)
    make_live(version)
    act = Act.RULE_CHANGED if last and last.rule else Act.RULE_ADDED
    _write(unit, last, version, act=act)
    return version


def end_rule(
    desk: Desk,
    unit: Unit,
    name: str,
    *,
    by: str,
    now: datetime,
    beyond: RuleVersion | None = None,
) -> RuleVersion:
    """Write the version that ends the rule *name*, and tell judges and subscribers."""
    last = unit.rules.newest(name)
    version = _next(desk, beyond or last, name=name, rule=None, by=by, now=now)
    _write(unit, last, version, act=Act.RULE_DELETED)
    return version


def _next(
    desk: Desk, last: RuleVersion | None, *, name: str, rule: Rule | None, by: str, now: datetime
) -> RuleVersion:
    """Return the version after *last*; never in force before it, whatever the clock did."""
    return RuleVersion(
        name=name,
        version=last.version + 1 if last else 1,
        effective_from=desk.in_force_from(now, after=last.effective_from if last else 0),
        rule=rule,
        changed_by=by,
        changed_at=now,
    )


def _write(unit: Unit, last: RuleVersion | None, version: RuleVersion, *, act: Act) -> None:
    """Save *version* with its audit row, its record and its alert."""
    now = version.changed_at
    unit.rules.save(version)
    unit.audit.append(
        act,
        version.name,
        actor=version.changed_by,
        at=now,
        before=last.to_wire() if last else None,
        after=version.to_wire(),
    )
    publish(unit, RULES.name, version.key, version, now=now)
    epoch = unit.autonomy.load().epoch
    publish_alert(unit, alerts.rule_changed(version, epoch=epoch), now)


def _patched(stored: StoredRule, patch: RulePatch) -> Rule:
    """Return the rule with the fields that *patch* names, null too."""
    return read_rule(
        {**stored.fields, **{name: getattr(patch, name) for name in patch.model_fields_set}}
    )


def _is_in_force(unit: Unit, stored: StoredRule, rule: Rule) -> bool:
    """Whether *rule* is what the newest version says, and the row shows it."""
    last = unit.rules.newest(rule.name)
    return stored.is_ours and stored.entry.problem is None and bool(last and last.rule == rule)


def _check_expected(stored: StoredRule, expected: int | None) -> None:
    """Refuse a change that was decided on another version.

    Raises:
        Outdated: the rule is no longer at *expected*.
    """
    if expected is not None and stored.entry.version != expected:
        raise Outdated(
            f"you saw version {expected} of {stored.entry.name!r}, "
            f"it is now at {stored.entry.version}",
            allowed_when="read the rule again and decide on it",
        )
