"""What was published against what the database holds: the comparison alone, without either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from governance.kafka import Published, read_published
from governance.outbox import OutboxRelay
from governance.rules import RuleRepair, Superseding, compare_rules
from governance.state import compare_state
from schemas.governance import Phase, ResolutionRecord, StateRecord
from schemas.rules import Rule, RuleVersion
from schemas.wire import from_ms
from tests.desks import desk_at
from tests.unit.rules.facts import rule
from tests.unit.streams.facts import NOON

NAME = "High Error Rate"


def version(number: int, condition: str | None = "errorRate > 0.05", **fields: Any) -> RuleVersion:
    """Return a version of the rule; a condition of None deletes it."""
    written = None if condition is None else rule(condition=condition, **fields)
    return RuleVersion(
        name=NAME, version=number, effective_from=NOON, rule=written, changed_at=from_ms(NOON)
    )


def compared(
    kept: list[RuleVersion], published: list[RuleVersion], taken: Mapping[str, int] | None = None
) -> RuleRepair:
    """Return what puts these versions of one rule right."""
    return compare_rules(
        {NAME: kept[-1]} if kept else {},
        {NAME: [one.version for one in kept]} if kept else {},
        {NAME: {one.version: one for one in published}} if published else {},
        taken or {},
    )


def test_what_both_have_needs_nothing() -> None:
    """Who changed it and when makes no other rule."""
    ours = version(1)
    theirs = ours.model_copy(update={"changed_by": "x", "changed_at": from_ms(NOON + 1)})
    assert not compared([ours], [theirs])


@pytest.mark.parametrize(
    ("published", "missing"), [([], [3, 2, 1]), ([1], [3, 2]), ([3], [2, 1]), ([1, 3], [2])]
)
def test_what_is_missing_is_told_again_the_newest_first(
    published: list[int], missing: list[int]
) -> None:
    """Also what is no longer in force: a replay of the log judges by it."""
    kept = [version(number) for number in (1, 2, 3)]
    found = compared(kept, [version(number) for number in published])
    assert found == RuleRepair(missing=tuple((NAME, number) for number in missing))


TIGHT, LOOSE, OTHER = "errorRate > 0.01", "errorRate > 0.5", "failures > 3"


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"),
    [
        (version(1), version(2, TIGHT), None),
        (version(1), version(2, LOOSE), version(1)),
        (version(1), version(2, OTHER), None),
        (version(1), version(2, None), version(1)),
        (version(1), version(2, enabled=False), version(1)),
        (version(2), version(2, TIGHT), version(2, TIGHT)),
        (version(2), version(2, LOOSE), version(2)),
        (version(2, None), version(2, LOOSE), version(2, LOOSE)),
        (version(1), version(2, "errorRate > 0.05 and nonsense > 1"), version(1)),
    ],
)
def test_of_two_rules_neither_is_loosened(
    ours: RuleVersion, theirs: RuleVersion, wins: RuleVersion | None
) -> None:
    """The tighter one follows, or what workers know is taken over as it is: None."""
    found = compared([ours], [theirs])
    if wins is None:
        assert found == RuleRepair(missing=((NAME, 1),), adopted=(theirs,))
    else:
        [step] = found.superseding
        assert step == Superseding(NAME, wins.rule, theirs.version, NOON)


def test_all_versions_that_only_kafka_has_are_taken_over_in_order() -> None:
    """So the history of the rule is whole again."""
    theirs = [version(1), version(2, TIGHT), version(3, TIGHT, window="10m")]
    assert compared([], theirs).adopted == tuple(theirs)


def test_a_number_that_somebody_knows_is_never_used_again() -> None:
    """What judges remember counts, also of a rule that nobody can say anything about any more."""
    rules: Rule | None = version(1).rule
    expected = RuleRepair(superseding=(Superseding(NAME, rules, 7, NOON),))
    assert compared([version(1)], [version(1)], {NAME: 7}) == expected
    assert compared([], [], {NAME: 7}) == RuleRepair(superseding=(Superseding(NAME, None, 7, 0),))
    assert not compared([version(1)], [version(1)], {NAME: 1})


def state(epoch: int = 3, *, at: int = NOON, **fields: Any) -> StateRecord:
    """Return a record of the state."""
    written = {
        "phase": Phase.L4,
        "phase_start_date": from_ms(NOON),
        "command_whitelist": ["SET_FAN"],
        "paused_command_types": [],
        "autonomy_epoch": epoch,
        "effective_from": at,
        "updated_at": from_ms(at),
    }
    return StateRecord.model_validate(written | fields)


def test_a_state_that_was_told_needs_nothing() -> None:
    """When it was told makes no difference."""
    told = Published(state=state(at=NOON + 5), epochs={3: state()})
    assert not compare_state(state(), told, knows=lambda _: False)


def test_a_state_that_was_not_told_is_told() -> None:
    """A topic without it, or with one that we left."""
    for told in (Published(), Published(state=state(2))):
        found = compare_state(state(), told, knows=lambda _: True)
        assert (found.foreign, found.publish, found.publish_epoch) == ((), True, True)


@pytest.mark.parametrize(
    "told",
    [
        Published(state=state(4)),
        Published(state=state(), epochs={9: state(9)}),
        Published(state=state(2, paused_command_types=["SET_FAN"])),
        Published(state=state(3, phase=Phase.L3)),
    ],
)
def test_a_state_that_we_never_had_is_foreign(told: Published) -> None:
    """It is above ours, or beside what our audit log tells."""
    found = compare_state(state(), told, knows=lambda record: record.autonomy_epoch > 3)
    assert len(found.foreign) == 1
    assert not found.publish


def test_records_are_read_by_their_keys() -> None:
    """What nobody can read says nothing, save that its version is taken."""
    resolution = ResolutionRecord(
        action_id="a", rule=NAME, scope_key="*", effective_from=NOON, resolved_at=from_ms(NOON)
    )
    newer = b'{"name": "High Error Rate", "version": 4, "rule": {"action": "telepathy"}}'
    found = read_published(
        {f"{NAME}@1": version(1).to_bytes(), f"{NAME}@4": newer, "x": b"{", "y": b"[]"},
        {
            "governance": state().to_bytes(),
            "epoch/3": state().to_bytes(),
            "epoch/4": b"{",
            "resolution/a": resolution.to_bytes(),
        },
    )
    assert found.newest_rules == {NAME: version(1)}
    assert found.unusable == {NAME: 4}
    assert found.state == state()
    assert found.epochs == {3: state()}
    assert found.resolutions == {"a"}


def test_nothing_is_published_before_it_may_be(tmp_path: Path) -> None:
    """The relay does not even ask for a Kafka while the topics were not compared.

    What woke it then does not wake it for ever: it would turn as fast as it can.
    """
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    nowhere = "127.0.0.1:1"
    relay = OutboxRelay(desk, nowhere, is_stopping=lambda: False, may_publish=lambda: False)
    relay.wake()
    relay.turn()
    assert relay._producer is None
    assert not relay._woken.is_set()
    with desk.store.reading() as unit:
        assert unit.outbox.waiting()[0] > 0
    desk.store.close()
