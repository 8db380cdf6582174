"""What operators change by SQL, as the runbook shows: noticed, checked, audited, put in force.

The database is theirs, but autonomy is only lowered that way: a change that would raise it
takes people whom the API knows, and is put back. So it is with rules where it takes two people to
loosen one: the database knows nobody. Events, joint acts, proposals and tokens are what the audit
log tells of them: see `governance.handlers.record_repairs`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance import alerts, phases
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy, publish_alert
from governance.handlers.lowering import SYSTEM
from governance.handlers.record_repairs import SQL, settle_records
from governance.handlers.records import ledger_of
from governance.handlers.rules import end_rule, put_rule
from governance.handlers.standing_repairs import is_forged
from governance.ladder import known_command_types
from governance.rulebook import read_rule
from governance.store import Unit
from governance.store.autonomy import read_autonomy
from governance.store.rules import StoredRule
from rules.direction import Direction, change
from schemas.errors import Refused, RuleError
from schemas.governance import Phase, fits
from schemas.rules import Rule, RuleVersion


@dataclass(frozen=True, slots=True)
class Found:
    """How many changes by SQL were found."""

    state: int = 0
    rules: int = 0
    records: int = 0


def adopt_sql_changes(desk: Desk, *ids: str) -> Found:
    """Find what was changed by SQL since we last wrote it, and put it in force or refuse it.

    Of records that people decide on the audit log is believed; *ids* are looked at too.

    Raises:
        Unavailable: the database is busy or away.
    """
    records = settle_records(desk, *ids)
    with desk.ledger.turn, desk.store.reading() as unit:
        quiet = _is_as_told(desk, unit) and not _changed_rules(unit) and not _gone(unit)
    if quiet:
        return Found(records=records)
    now = desk.clock()
    with desk.store.writing(lowers=True) as unit:
        state = adopt_state(desk, unit, now)
        rules = _adopt_rules(desk, unit, now)
    return Found(state=int(state), rules=rules, records=records)


def adopt_state(desk: Desk, unit: Unit, now: datetime) -> bool:
    """Take over a state that was changed by SQL, or put it back; return whether it was.

    Every handler that changes autonomy calls this first, so that no change is built on one
    that nobody wrote down.
    """
    if not unit.autonomy.is_vouched_for:
        _vouch(desk, unit)
    stored = unit.autonomy.stored()
    before, known = read_autonomy(stored.written), known_command_types(_whitelists(desk))
    if stored.is_ours:
        return _bound(desk, unit, before, known=known, now=now)
    try:
        after = phases.adopted(before, read_autonomy(stored.found), now)
        after = phases.bounded(after, known).at_epoch(after.epoch)
    except (ValueError, TypeError, Refused) as problem:
        _restore(desk, unit, before, found=stored.found, problem=str(problem), now=now)
    else:
        cause = Cause(Act.STATE_ADOPTED, actor=SQL, subject="governance", because="changed by SQL")
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return True


def _vouch(desk: Desk, unit: Unit) -> None:
    """Take off a seal that SQL wrote, once in a transaction: then what was told counts."""
    if is_forged(unit, ledger_of(desk, unit).standing):
        unit.autonomy.unseal()
    unit.autonomy.is_vouched_for = True


def _is_as_told(desk: Desk, unit: Unit) -> bool:
    """Whether the state is as we wrote it, and its seal is what the audit log told."""
    forged = is_forged(unit, ledger_of(desk, unit).standing)
    as_written = unit.autonomy.stored().is_ours and is_bounded(unit.autonomy.load())
    return not forged and as_written


def is_bounded(state: Autonomy) -> bool:
    """Return whether a record can hold *state*."""
    return fits(state.paused_command_types) and fits(state.resumed_command_types)


def _bound(
    desk: Desk, unit: Unit, before: Autonomy, *, known: Collection[str], now: datetime
) -> bool:
    """Pause everything where an older version paused more than a record can hold, by name."""
    if is_bounded(before):
        return False
    after = phases.bounded(before, known)
    because = f"{len(before.paused_command_types)} command types were paused by name"
    cause = Cause(Act.STATE_ADOPTED, actor=SYSTEM, subject="governance", because=because)
    change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return True


def _whitelists(desk: Desk) -> Mapping[Phase, Sequence[str]]:
    """Return what the phases add in this installation."""
    return desk.settings.phase_whitelists


def present_autonomy(desk: Desk, unit: Unit, now: datetime) -> Autonomy:
    """Return the state to build a change on, after taking over what SQL did to it."""
    adopt_state(desk, unit, now)
    return unit.autonomy.load()


def _restore(
    desk: Desk,
    unit: Unit,
    state: Autonomy,
    *,
    found: dict[str, object],
    problem: str,
    now: datetime,
) -> None:
    """Put the state back as we last wrote it, and say so."""
    unit.autonomy.save(state, now)
    row = unit.audit.append(
        Act.STATE_RESTORED,
        "governance",
        actor=SQL,
        at=now,
        before=found,
        after={**state.facts(), "because": problem},
    )
    alert = alerts.state_restored(state, cause=row.hash[:32], problem=problem, at=now)
    publish_alert(unit, alert, now)


def _changed_rules(unit: Unit) -> list[StoredRule]:
    """Return the rules whose rows are not as we left them."""
    newest = unit.rules.newest_of_all()
    return [one for one in unit.rules.stored() if not one.is_ours or _is_forged(one, newest)]


def _is_forged(stored: StoredRule, newest: Mapping[str, RuleVersion]) -> bool:
    """Whether a row says, under a seal that fits, what its last version does not."""
    last = newest.get(stored.fields["name"])
    if stored.entry.problem is not None:
        return False
    try:
        return last is None or read_rule(stored.fields) != last.rule
    except RuleError:
        return True


def _gone(unit: Unit) -> list[Rule]:
    """Return the rules that are in force and have no row any more."""
    names = set(unit.rules.names())
    versions = unit.rules.newest_of_all().values()
    return [last.rule for last in versions if last.rule and last.name not in names]


def _adopt_rules(desk: Desk, unit: Unit, now: datetime) -> int:
    """Put changed rules in force, or report on each why it cannot be; end those that are gone."""
    changed, gone = _changed_rules(unit), _gone(unit)
    for stored in changed:
        _adopt_rule(desk, unit, stored, now)
    for rule in gone:
        _end_or_put_back(desk, unit, rule, now)
    return len(changed) + len(gone)


def _adopt_rule(desk: Desk, unit: Unit, stored: StoredRule, now: datetime) -> None:
    """Put one changed rule in force, or report why it cannot be."""
    name = stored.fields["name"]
    try:
        rule = read_rule(stored.fields)
        if rule.name != name:
            raise RuleError("a name neither begins nor ends with a space", field="name")
        _check_one_is_enough(desk, unit, name, rule)
        put_rule(desk, unit, rule, by=SQL, now=now)
    except (RuleError, Refused) as error:
        unit.rules.report(name, str(error), now)
        _tell(unit, name, stored.fields, problem=str(error), now=now)


def _end_or_put_back(desk: Desk, unit: Unit, rule: Rule, now: datetime) -> None:
    """End a rule whose row was deleted, or write its row again where that takes two people."""
    try:
        _check_one_is_enough(desk, unit, rule.name, None)
        end_rule(desk, unit, rule.name, by=SQL, now=now)
    except Refused as error:
        put_rule(desk, unit, rule, by=SQL, now=now)
        _tell(unit, rule.name, {}, problem=f"put back: {error}", now=now)


def _check_one_is_enough(desk: Desk, unit: Unit, name: str, rule: Rule | None) -> None:
    """Check that *rule* (None: deleted) loosens nothing, or that nobody need agree to that.

    Raises:
        Refused: it takes two people.
    """
    last = unit.rules.newest(name)
    found = change(last.rule if last else None, rule)
    if desk.settings.takes_two and found.direction is Direction.LOOSER:
        why = "; ".join(found.reasons)
        raise Refused(
            f"changed by SQL so that it takes two people ({why})",
            allowed_when="ask for it over HTTP, where a second person can sign",
        )


def _tell(
    unit: Unit, name: str, fields: Mapping[str, object], *, problem: str, now: datetime
) -> None:
    """Say in the audit log and by alert why what SQL made of a rule is not in force."""
    row = unit.audit.append(
        Act.RULE_INVALID, name, actor=SQL, at=now, after={**fields, "problem": problem}
    )
    epoch = unit.autonomy.load().epoch
    alert = alerts.rule_invalid(name, problem, cause=row.hash[:32], epoch=epoch, at=now)
    publish_alert(unit, alert, now)
