"""Kafka and the database say the same: what judges were not told is told, what we forgot counts.

    what was published ─┐
                        ├─► compared ─┬─► Kafka lacks something: told again, through the outbox
    the database ───────┘             └─► Kafka knows more: the lower of both, as after a restore

A topic may be new, emptied or cut; a database may be lost, replaced or restored. Neither is
trusted alone, and nothing here raises autonomy or loosens a rule.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from governance import alerts, phases
from governance.aftermath import Aftermath, facts_of, lowered_by, told_state
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy, publish, publish_alert
from governance.handlers.rules import end_rule, put_rule
from governance.handlers.sql_changes import adopt_sql_changes, present_autonomy
from governance.kafka.published import (
    EPOCH,
    GOVERNANCE,
    PROTECTION,
    RESOLUTION,
    Published,
    read_published,
)
from governance.rules.publication import RuleRepair, Superseding, compare_rules
from governance.state.publication import StateRepair, compare_state
from governance.store import Unit
from governance.store.outbox import OutboxRow
from schemas.governance import ProtectionRecord, ResolutionRecord, StateRecord
from schemas.rules import RuleVersion
from schemas.topics import RULES, STATE
from schemas.wire import iso

log = logging.getLogger(__name__)

SYSTEM: Final = "system"
"""The actor of what nobody asked for."""

NAMED: Final = 50
"""Rule versions that an audit row names at most."""

ANOTHER: Final = (
    "another state service, with another database, writes to the topic state: end one of the two, "
    "or give each a GOVERNANCE_TOPIC_PREFIX of its own"
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is on Kafka, by someone who began to read it at ``since``.

    ``reported`` are the rule versions that judges know; ``is_first`` says that nothing of ours
    was published since the service started. ``unheard`` are rules that lie on Kafka and that
    judges have not heard of: their newest version is told once more. Resolutions are many and
    rarely lost: they are looked at where it is asked for.
    """

    published: Published
    since: datetime
    reported: Mapping[str, int] = field(default_factory=dict)
    is_first: bool = True
    with_resolutions: bool = True
    unheard: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation did: rule versions and resolutions told again, and so on.

    ``conflict`` says what nobody but people can put right.
    """

    rules_told: int = 0
    state_told: bool = False
    resolutions_told: int = 0
    protections_told: int = 0
    rules_changed: tuple[str, ...] = ()
    lowered: tuple[str, ...] | None = None
    conflict: str | None = None

    def __bool__(self) -> bool:
        return bool(
            self.rules_told
            or self.state_told
            or self.resolutions_told
            or self.protections_told
            or self.rules_changed
            or self.lowered is not None
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done, and which records that wait in the outbox are not to be told any more."""

    rules: RuleRepair
    state: StateRepair
    resolutions: tuple[ResolutionRecord, ...]
    stale: tuple[int, ...]
    protections: tuple[ProtectionRecord, ...] = ()
    conflict: str | None = None

    def __bool__(self) -> bool:
        return bool(self.rules or self.state or self.resolutions or self.protections)


def reconcile(desk: Desk, observed: Observed) -> Reconciled:
    """Put Kafka and the database right with each other, in one transaction if there is anything.

    Safe to call again and again: what it did, it finds done.

    Raises:
        Unavailable: the database is busy or away; nothing was changed.
    """
    with desk.store.reading() as unit:
        plan = _plan(desk, unit, observed)
    if not plan:
        return Reconciled(conflict=plan.conflict)
    now = desk.clock()
    with desk.store.writing(lowers=True) as unit:
        adopt_sql_changes(desk)
        present_autonomy(desk, unit, now)
        return _carry_out(desk, unit, _plan(desk, unit, observed), observed, now=now)


def _plan(desk: Desk, unit: Unit, observed: Observed) -> _Plan:
    """Compare, and change nothing."""
    told = unit.outbox.recent([RULES.name, STATE.name], since=observed.since)
    published, coming = observed.published, _overlaid(row for row, _ in told)
    kept = unit.rules.newest_of_all()
    rules = compare_rules(
        kept,
        unit.rules.numbers(),
        published.rules,
        _taken(published, observed.reported, unit.rules.numbers()),
    )
    known = {(name, number) for name, found in coming.rules.items() for number in found}
    unheard = [(name, kept[name].version) for name in sorted(observed.unheard & kept.keys())]
    wanted = dict.fromkeys([*unheard, *rules.missing])
    missing = tuple(key for key in wanted if key not in known)
    state = _compare_state(unit, published, coming)
    resolutions: tuple[ResolutionRecord, ...] = ()
    if observed.with_resolutions:
        known_ids = published.resolutions | coming.resolutions
        resolutions = _missing_resolutions(desk, unit, known_ids)
    versions = published.protections | coming.protections
    protections = tuple(one for one in unit.protection.all() if one.version not in versions)
    conflict = None
    if state.foreign and not observed.is_first and not _lowered(unit, state.foreign, desk.clock()):
        state, conflict = StateRepair(), ANOTHER
    return _Plan(
        rules=replace(rules, missing=missing),
        state=state,
        resolutions=resolutions,
        stale=_stale([row for row, waits in told if waits], published, state),
        protections=protections,
        conflict=conflict,
    )


def _overlaid(rows: Iterable[OutboxRow]) -> Published:
    """Return what *rows* of the outbox say, as if they were all that was published."""
    found: dict[str, dict[str, bytes]] = {RULES.name: {}, STATE.name: {}}
    for row in rows:
        found[row.topic][row.key] = row.value.encode()
    return read_published(found[RULES.name], found[STATE.name])


def _taken(
    published: Published, reported: Mapping[str, int], kept: Collection[str]
) -> dict[str, int]:
    """Return the highest number of each rule that is in use, though nobody can read it here.

    A rule that only a newer program can read, and that is not among those *kept*, is left alone.
    """
    return {
        name: max(published.unusable.get(name, 0), reported.get(name, 0))
        for name in {*published.unusable, *reported}
        if name in kept or name not in published.unusable
    }


def _compare_state(unit: Unit, published: Published, coming: Published) -> StateRepair:
    """Compare our state with what was told, and with what is about to be."""
    ours = unit.autonomy.load()

    def knows(record: StateRecord) -> bool:
        told = unit.autonomy.told_at(record.autonomy_epoch)
        return any(_as_record(one, record) == record for one in told)

    like = published.state or coming.state
    mine = ours.record(0, ours.phase_start_date) if like is None else _as_record(ours, like)
    found = compare_state(mine, published, knows)
    if found.foreign:
        return found
    then = Published(
        state=coming.state or published.state, epochs={**published.epochs, **coming.epochs}
    )
    return compare_state(mine, then, knows=lambda _: True)


def _as_record(state: Autonomy, like: StateRecord) -> StateRecord:
    """Return *state* as it would read on Kafka, with the moments of *like*."""
    made = state.record(like.effective_from, like.updated_at)
    return StateRecord.model_validate_json(made.to_bytes())


def _lowered(unit: Unit, foreign: Sequence[StateRecord], now: datetime) -> list[str]:
    """Return in words what would be allowed no longer if *foreign* counted."""
    before = unit.autonomy.load()
    return lowered_by(before, phases.restored(before, [told_state(one) for one in foreign], now))


def _missing_resolutions(
    desk: Desk, unit: Unit, told: frozenset[str]
) -> tuple[ResolutionRecord, ...]:
    """Return the resolutions that judges may not know, each from the moment that it had."""
    return tuple(
        ResolutionRecord(
            action_id=event_id,
            rule=rule,
            scope_key=scope_key,
            effective_from=desk.in_force_from(resolved_at),
            resolved_at=resolved_at,
        )
        for event_id, rule, scope_key, resolved_at in unit.events.resolutions()
        if event_id not in told
    )


def _stale(
    waiting: Sequence[OutboxRow], published: Published, state: StateRepair
) -> tuple[int, ...]:
    """Return the records that must not be told: they contradict what another database told."""
    stale = []
    for row in waiting:
        if row.topic == STATE.name and not row.key.startswith((RESOLUTION, PROTECTION)):
            if state.foreign:
                stale.append(row.seq)
        elif row.topic == RULES.name:
            mine = RuleVersion.model_validate_json(row.value)
            theirs = published.rules.get(mine.name, {}).get(mine.version)
            if theirs is not None and (theirs.rule, theirs.effective_from) != (
                mine.rule,
                mine.effective_from,
            ):
                stale.append(row.seq)
    return tuple(stale)


def _carry_out(
    desk: Desk, unit: Unit, plan: _Plan, observed: Observed, *, now: datetime
) -> Reconciled:
    """Do what *plan* says and leave audit rows."""
    unit.outbox.withdraw(plan.stale)
    changed = _change_rules(desk, unit, plan.rules, observed.published, now=now)
    lowered = _reconcile_state(desk, unit, plan.state.foreign, now=now)
    for name, number in plan.rules.missing:
        version = unit.rules.version(name, number)
        publish(unit, RULES.name, version.key, version, now=now)
    state = unit.autonomy.load()
    record = state.record(desk.in_force_from(now), now)
    if plan.state.publish:
        publish(unit, STATE.name, GOVERNANCE, record, now=now)
    if plan.state.publish_epoch:
        publish(unit, STATE.name, f"{EPOCH}{state.epoch}", record, now=now)
    for resolution in plan.resolutions:
        publish(unit, STATE.name, f"{RESOLUTION}{resolution.action_id}", resolution, now=now)
    for protection in plan.protections:
        publish(unit, STATE.name, protection.key, protection, now=now)
    done = Reconciled(
        rules_told=len(plan.rules.missing),
        state_told=plan.state.publish or plan.state.publish_epoch,
        resolutions_told=len(plan.resolutions),
        protections_told=len(plan.protections),
        rules_changed=changed,
        lowered=lowered,
        conflict=plan.conflict,
    )
    if done:
        _write_down(unit, plan, done, now=now)
    return done


def _write_down(unit: Unit, plan: _Plan, done: Reconciled, *, now: datetime) -> None:
    """Say in the audit log and in ours what judges are told again."""
    missing = [f"{name}@{number}" for name, number in plan.rules.missing]
    unit.audit.append(
        Act.TOPICS_REPAIRED,
        "rules, state",
        actor=SYSTEM,
        at=now,
        after={
            "rules": missing[:NAMED],
            "ruleVersions": done.rules_told,
            "state": done.state_told,
            "resolutions": done.resolutions_told,
            "protections": done.protections_told,
            "rulesChanged": list(done.rules_changed),
        },
    )
    log.warning(
        "Kafka and the database differed: %d rule versions, %s and %d resolutions are told again; "
        "rules changed: %s",
        done.rules_told,
        "the state" if done.state_told else "no state",
        done.resolutions_told,
        ", ".join(done.rules_changed) or "none",
    )


def _reconcile_state(
    desk: Desk, unit: Unit, foreign: Sequence[StateRecord], *, now: datetime
) -> tuple[str, ...] | None:
    """Take the lower of ours and of what another database told; None if none did."""
    if not foreign:
        return None
    newest = max(foreign, key=lambda record: record.updated_at)
    source = f"Kafka, told at {iso(newest.updated_at)} by another database"
    known = [Aftermath(source=source, states=tuple(told_state(one) for one in foreign))]
    before = unit.autonomy.load()
    after = phases.restored(before, known[0].states, now)
    lowered = tuple(lowered_by(before, after))
    because = (
        "Kafka was told of a state that this database never had: it was lost, replaced or restored"
    )
    cause = Cause(Act.DATABASE_RECONCILED, SYSTEM, "governance", because)
    change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    row = unit.audit.append(
        Act.DATABASE_RECONCILED,
        "database",
        actor=SYSTEM,
        at=now,
        after={"known": facts_of(known), "lowered": list(lowered)},
    )
    alert = alerts.database_behind(after, lowered, cause=row.hash[:32], at=now)
    publish_alert(unit, alert, now)
    log.error("%s; the lower of both holds, in epoch %d: %s", because, after.epoch, lowered)
    return lowered


def _change_rules(
    desk: Desk, unit: Unit, repair: RuleRepair, published: Published, *, now: datetime
) -> tuple[str, ...]:
    """Take over the versions that workers know, and follow on those that are looser."""
    for version in repair.adopted:
        _adopt(unit, version, now=now)
    for step in repair.superseding:
        _supersede(desk, unit, step, now=now)
    names = {version.name for version in repair.adopted}
    return tuple(sorted(names | {step.name for step in repair.superseding}))


def _adopt(unit: Unit, version: RuleVersion, *, now: datetime) -> None:
    """Write down a version as Kafka has it; judges judge by it already."""
    last = unit.rules.newest(version.name)
    act = Act.RULE_CHANGED if last and last.rule else Act.RULE_ADDED
    unit.rules.save(version)
    unit.audit.append(
        Act.RULE_DELETED if version.rule is None else act,
        version.name,
        actor=SYSTEM,
        at=now,
        before=last.to_wire() if last else None,
        after=version.to_wire(),
    )
    publish_alert(unit, alerts.rule_changed(version, epoch=unit.autonomy.load().epoch), now)


def _supersede(desk: Desk, unit: Unit, step: Superseding, *, now: datetime) -> None:
    """Write the tighter of two versions under a number that neither has."""
    beyond = RuleVersion(
        name=step.name,
        version=step.beyond,
        effective_from=step.not_before,
        rule=None,
        changed_at=now,
    )
    if step.rule is None:
        end_rule(desk, unit, step.name, by=SYSTEM, now=now, beyond=beyond)
    else:
        put_rule(desk, unit, step.rule, by=SYSTEM, now=now, beyond=beyond)
