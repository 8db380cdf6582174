"""Readiness on both databases: seeded once, attested by people, kept, and explained."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from governance import handlers
from governance.audit import Act
from governance.checklist import ItemPatch, Kind, NewAttestation, Source, default_checklist
from governance.desk import Desk
from governance.readiness import Assessment
from governance.sightings import ChainWatch
from governance.store import Store
from governance.store.audit import AuditShelf
from governance.store.engine import open_engine
from rules.escalation_reference import decide
from schemas.errors import BadRequest, NotFound, Refused
from schemas.tallies import WIDTH, Column
from schemas.wire import to_ms
from tests.desks import NOON, SetClock, desk_at, settings_for, trip

EVIDENCE = NewAttestation(evidence_url="https://wiki/kill-switch-drill", note="drill of today")
KILL_SWITCH = "Kill switch tested"
ATTESTED = [item for item in default_checklist() if item.kind is Kind.ATTESTED]


def at(desk: Desk, moment: datetime) -> Desk:
    """Return the same desk, with what it saw, at *moment*."""
    return replace(desk, clock=SetClock(moment))


def make_ready(desk: Desk) -> Desk:
    """Return the desk half a year on, with everything attested and a healthy month behind it."""
    later = at(desk, NOON + timedelta(days=200))
    for item in ATTESTED:
        handlers.attest_item(later, item.name, EVIDENCE, by="anna")
    row = [0] * WIDTH
    row[Column.PROPOSED] = row[Column.APPROVED] = row[Column.SUCCEEDED] = 1_000
    with desk.store.writing() as unit:
        unit.minutes.add({(to_ms(later.clock()) // 60_000 - 600, "*"): row})
    later.scrapes.note(later.clock())
    return later


def acts(desk: Desk) -> list[str]:
    """Return the acts of the audit log, newest first."""
    return [entry.act for entry in handlers.list_audit(desk)]


def points(assessment: Assessment) -> tuple[int, int]:
    """Return the points earned and the points there are."""
    return assessment.overall.points, assessment.overall.max_points


@pytest.fixture
def flagged(database_url: str) -> Iterator[Desk]:
    """Return a new installation whose environment set three of the incumbent's flags."""
    store = Store(database_url)
    store.migrate()
    desk = Desk(store, settings_for(), decide, SetClock())
    handlers.create(
        desk,
        {"EVAL_COVERAGE": "0.93", "KILL_SWITCH_TESTED": "true", "RUNBOOKS_COMPLETE": "false"},
    )
    yield desk
    store.close()


def test_a_new_installation_has_the_checklist(desk: Desk) -> None:
    """Every item is there in its order, and only what can be measured at once is met."""
    entries = handlers.list_checklist(desk)

    assert [entry.name for entry in entries] == [item.name for item in default_checklist()]
    assert [entry.name for entry in entries if entry.status] == [
        "Circuit breakers implemented",
        "Audit trail comprehensive",
    ]


def test_the_environments_flags_are_attestations(flagged: Desk) -> None:
    """Each is imported once, says where it came from, and is in the audit log."""
    said = {e.name: e.attestation for e in handlers.list_checklist(flagged) if e.attestation}

    assert {name: word.met for name, word in said.items()} == {
        "Eval coverage >90%": True,
        KILL_SWITCH: True,
        "Runbooks for autonomous actions": False,
    }
    assert {word.source for word in said.values()} == {Source.ENVIRONMENT}
    assert acts(flagged)[:4] == [Act.READINESS_ATTESTED] * 3 + [Act.CHECKLIST_CREATED]


def test_later_starts_import_nothing(flagged: Desk) -> None:
    """A flag that is set, or taken away, after the first start changes nothing."""
    before = handlers.list_checklist(flagged)
    handlers.create(flagged, {"CHAOS_TESTS_PASSING": "true"})

    assert handlers.list_checklist(flagged) == before


def test_an_assessment_is_kept(desk: Desk) -> None:
    """What was assessed is what is shown later, word for word."""
    found = handlers.assess(desk)

    assert handlers.latest_assessment(desk) == found
    assert handlers.list_scores(desk, NOON, NOON + timedelta(1), limit=9)[0].score == 5 / 80


def test_the_first_who_asks_gets_an_assessment(desk: Desk) -> None:
    """Without any yet, showing the latest assesses."""
    assert handlers.last_assessment(desk) is None
    assert handlers.latest_assessment(desk) == handlers.last_assessment(desk)


def test_half_a_year_of_good_work_is_ready(desk: Desk) -> None:
    """Time, numbers and evidence together are 80 of 80, and the next phase is recommended."""
    found = handlers.assess(make_ready(desk))

    assert (points(found), found.overall.ready) == ((80, 80), True)
    assert found.recommendations[0].type == "expand_scope"


def test_an_unresolved_event_blocks_until_it_is_resolved(desk: Desk) -> None:
    """A trip of yesterday keeps a perfect score from being ready."""
    later = make_ready(desk)
    handlers.apply_action(later, trip())
    blocked = handlers.assess(later)
    handlers.resolve_event(later, trip().id, by="anna")

    assert (blocked.overall.score, blocked.overall.ready) == (1.0, False)
    assert handlers.assess(later).overall.ready


def test_an_attestation_says_who_and_when(desk: Desk) -> None:
    """Evidence, person and moment are kept, shown on the item, and in the audit log."""
    entry = handlers.attest_item(desk, KILL_SWITCH, EVIDENCE, by="anna")

    assert entry.status
    assert entry.attestation is not None
    assert (entry.attestation.attested_by, entry.attestation.attested_at) == ("anna", NOON)
    assert handlers.list_audit(desk)[0].after["evidenceUrl"] == EVIDENCE.evidence_url


def test_the_newest_word_counts(desk: Desk) -> None:
    """Taking an attestation back needs no evidence, and the audit log has both words."""
    handlers.attest_item(desk, KILL_SWITCH, EVIDENCE, by="anna")
    handlers.attest_item(desk, KILL_SWITCH, NewAttestation(met=False), by="bert")
    last = handlers.list_audit(desk)[0]

    assert not handlers.show_item(desk, KILL_SWITCH).status
    assert (last.before["met"], last.after["met"]) == (True, False)


def test_what_cannot_be_meant_is_refused(desk: Desk) -> None:
    """No word without evidence, none that has expired already, and none for decades."""
    url = "https://wiki/drill"
    for said in (
        NewAttestation(),
        NewAttestation(evidence_url=url, expires_at=NOON),
        NewAttestation(evidence_url=url, expires_at=NOON + timedelta(days=4_000)),
    ):
        with pytest.raises(BadRequest):
            handlers.attest_item(desk, KILL_SWITCH, said, by="anna")


def test_nobodys_word_changes_what_is_measured(desk: Desk) -> None:
    """A success rate cannot be attested, and has no age."""
    with pytest.raises(Refused, match="is measured"):
        handlers.attest_item(desk, "Rollback rate <2%", EVIDENCE, by="anna")
    with pytest.raises(BadRequest):
        handlers.patch_item(desk, "Rollback rate <2%", ItemPatch(max_age_days=3), by="anna")


def test_a_weight_is_changed_with_an_audit_row(desk: Desk) -> None:
    """The score follows at once; a patch that changes nothing leaves no trace."""
    for _ in range(2):
        handlers.patch_item(desk, KILL_SWITCH, ItemPatch(weight=10), by="anna")

    assert points(handlers.assess(desk)) == (5, 88)
    assert acts(desk).count(Act.CHECKLIST_CHANGED) == 1


def test_of_fifty_who_patch_at_once_one_does(desk: Desk) -> None:
    """One change, one audit row; all fifty are shown the same item."""
    with ThreadPoolExecutor(50) as people:
        shown = list(
            people.map(
                lambda n: handlers.patch_item(desk, KILL_SWITCH, ItemPatch(weight=9), by=f"p{n}"),
                range(50),
            )
        )

    assert {entry.weight for entry in shown} == {9}
    assert acts(desk).count(Act.CHECKLIST_CHANGED) == 1


def test_an_unknown_item_is_not_found(desk: Desk) -> None:
    """No such name, no effect."""
    with pytest.raises(NotFound):
        handlers.patch_item(desk, "Coffee available", ItemPatch(weight=1), by="anna")


def test_the_history_tells_to_the_minute(desk: Desk) -> None:
    """Following keeps what moved and one assessment an hour, and nothing else."""
    for minute in (0, 10, 31, 45, 61, 91):
        handlers.follow_readiness(at(desk, NOON + timedelta(minutes=minute)))
        if minute == 10:
            handlers.attest_item(desk, KILL_SWITCH, EVIDENCE, by="anna")
    kept = handlers.list_scores(desk, NOON, NOON + timedelta(hours=2), limit=100)

    assert [(mark.timestamp - NOON) // timedelta(minutes=1) for mark in kept] == [0, 31, 91]
    assert [round(mark.score * 80) for mark in kept] == [5, 7, 7]


def test_the_difference_names_item_person_and_moment(desk: Desk) -> None:
    """Who asks what moved the score reads who did it, when, and why."""
    handlers.assess(desk)
    handlers.attest_item(at(desk, NOON + timedelta(hours=1)), KILL_SWITCH, EVIDENCE, by="anna")
    later = at(desk, NOON + timedelta(hours=2))
    handlers.patch_item(later, "24/7 coverage available", ItemPatch(weight=4), by="bert")
    found = handlers.show_readiness_diff(later, NOON)
    told = [
        (c.name, c.aspect.value, c.points, c.by, (c.at - NOON) // timedelta(hours=1))
        for c in found.changes
    ]

    assert told == [
        (KILL_SWITCH, "status", 2, "anna", 1),
        ("24/7 coverage available", "weight", 0, "bert", 2),
    ]
    assert "drill of today" in found.changes[0].why
    assert found.blockers_removed == [KILL_SWITCH]
    assert found.score_change == pytest.approx(7 / 82 - 5 / 80)


def test_what_is_measured_is_dated_by_the_history(desk: Desk) -> None:
    """The moment is that of the first assessment that saw it and did not lose it again."""
    for minute in range(5):
        then = at(desk, NOON + timedelta(minutes=minute))
        if minute in (1, 3):
            then.scrapes.note(then.clock() if minute == 3 else then.clock() - timedelta(hours=1))
        handlers.assess(then)
    (change,) = handlers.show_readiness_diff(at(desk, NOON + timedelta(minutes=5)), NOON).changes

    assert change.name == "Real-time monitoring operational"
    assert change.at == NOON + timedelta(minutes=3)
    assert change.why.startswith("/metrics was not scraped since this service started →")


def test_an_expiry_is_dated_by_the_attestation(desk: Desk) -> None:
    """What ran out says when it did, however rarely anybody assessed."""
    word = EVIDENCE.model_copy(update={"expires_at": NOON + timedelta(days=2)})
    handlers.attest_item(desk, KILL_SWITCH, word, by="anna")
    handlers.assess(desk)
    (change,) = handlers.show_readiness_diff(at(desk, NOON + timedelta(days=9)), NOON).changes

    assert (change.points, change.at) == (-2, NOON + timedelta(days=2))
    assert "expired on 2026-11-25" in change.why


def test_an_assessment_that_sql_broke_is_passed_over(desk: Desk, database_url: str) -> None:
    """An operator's own row does not stop anything."""
    found = handlers.assess(desk)
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO readiness_assessments (timestamp) VALUES ('2026-12-31 00:00:00')")
        )
    engine.dispose()

    assert handlers.latest_assessment(desk) == found


def test_the_chain_is_verified_anew_only_once_a_day(desk: Desk) -> None:
    """Between, only what came since is read; an old row that was edited is found within a day."""
    watch = ChainWatch()
    seen: list[int] = []
    with desk.store.reading() as unit:
        read = unit.audit.rows

        def counted(*, after: int = 0) -> Iterator[tuple[object, ...]]:
            seen.append(after)
            return read(after=after)

        unit.audit.rows = counted  # type: ignore[method-assign]
        for hours in (0, 1, 23, 25):
            assert watch.verify(unit, NOON + timedelta(hours=hours)).intact
        head = unit.audit.head().seq

    assert seen == [0, head, head, 0]


def test_nobody_waits_for_the_whole_chain(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch verifies it ahead: at the start, and an hour before a day is over."""
    watch = ChainWatch()
    seen: list[int] = []
    rows = AuditShelf.rows

    def counted(self: AuditShelf, *, after: int = 0) -> Iterator[tuple[object, ...]]:
        seen.append(after)
        return rows(self, after=after)

    monkeypatch.setattr(AuditShelf, "rows", counted)
    for hours in (0, 1, 23.5):
        watch.renew(desk.store, NOON + timedelta(hours=hours))
    with desk.store.reading() as unit:
        head = unit.audit.head().seq
        assert watch.verify(unit, NOON + timedelta(hours=25)).intact

    assert seen == [0, 0, head]


def test_an_old_row_that_was_edited_is_found_ahead(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks next is told, although the newest rows are as they were."""
    watch = ChainWatch()
    watch.renew(desk.store, NOON)
    rows = AuditShelf.rows

    def edited(self: AuditShelf, *, after: int = 0) -> Iterator[tuple[object, ...]]:
        for row in rows(self, after=after):
            yield (row[0], row[1], "mallory", *row[3:]) if row[0] == 1 else row

    monkeypatch.setattr(AuditShelf, "rows", edited)
    watch.renew(desk.store, NOON + timedelta(hours=23.5))
    with desk.store.reading() as unit:
        report = watch.verify(unit, NOON + timedelta(hours=23.6))

    assert report.broken_at == 1


def test_a_cut_tail_is_noticed_at_once(database_url: str) -> None:
    """The head that was seen before must still be there."""
    desk = desk_at(database_url)
    assert handlers.assess(desk).technical.items
    head = handlers.show_audit_head(desk)
    desk.chain._head = replace(head, hash="f" * 64)
    found = {item.name: item for item in handlers.assess(desk).items}["Audit trail comprehensive"]
    desk.store.close()

    assert not found.status
    assert found.details == f"row {head.seq}: the row is not the one that the checkpoint names"
