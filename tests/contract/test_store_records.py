"""Whatever SQL makes of a record, nothing rises, resumes or resolves by it, and its name is told.

Each column of each table is written with all kinds of values, rows are deleted and inserted, on
both databases. The service then looks, as it does every three seconds and before each decision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, Table, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from governance import handlers
from governance.audit import Act
from governance.callers import Role
from governance.desk import Desk
from governance.handlers.wishes import ResolveEvent, ResumeType, read_wish
from governance.joint_acts import JointStatus, Signer
from governance.proposals import Proposal, ProposalStatus
from governance.provenance.proposals import document_digest, told_facts
from governance.store.engine import open_engine
from governance.store.ladder_tables import (
    api_tokens,
    joint_acts,
    proposal_approvals,
    scope_expansion_proposals,
)
from governance.store.tables import circuit_breaker_events as events
from governance.tokens import ApiToken
from schemas.alerts import AlertType
from schemas.errors import GovernanceError
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action
from tests.contract.test_store_trips import alerts
from tests.desks import NOON, trip
from tests.ladders import OPS, TECH, clock_of, make_ready, proposed, ready_desk

OLGA = Signer("olga", "token", may_carry=False)
ANNA = Signer("anna", "token", may_carry=True)

UNTOLD = {"seq", "last_used_at"}
"""Columns that say nothing: the order of rows, and one that nobody writes."""

TEXTS = (
    *("", "x", "0", "[]", "{}", '["tech-lead"]', '["admin"]', "*", "low", "alert_only", "anna"),
    *("2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z", "2026-11-23 12:00:00", "\u3164"),
    *("waiting", "pending", "carried", "approved", "commandType=OTHER", "true_positive", "ben"),
)
NUMBERS = (0, 1, 2, -1, 7_000_000_000)
FEWER = ("", "x", "approved", "tech-lead", "ben", "2026-01-01T00:00:00.000Z")
"""What is tried where each try takes a proposal of its own."""

FEW = ("", "x", "low", "alert_only", "commandType=OTHER", "2020-01-01T00:00:00.000Z")
"""What is tried of each of the many columns of an event."""

SAME = {("voided_at", ""), ("created_at", "2026-11-23 12:00:00")}
"""Another spelling of what was there."""


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk at L3+ that is ready for L4, which takes two people."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    yield desk
    desk.store.close()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return what somebody who owns the database connects with."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def stored(engine: Engine, table: Table, **where: Any) -> dict[str, Any]:
    """Return one row."""
    with engine.connect() as connection:
        found = connection.execute(select(table).filter_by(**where)).mappings().one()
        return dict(found)


def changes(
    engine: Engine,
    table: Table,
    column: str,
    current: Callable[[], Mapping[str, Any]],
    texts: tuple[str, ...] = TEXTS,
) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Write one value after the other into a column, each of the *current* row; give both."""
    wanted = NUMBERS if isinstance(table.c[column].type, Integer) else texts
    for value in (None, *wanted):
        row = current()
        if value == row[column] or (column, value) in SAME:
            continue
        key = "seq" if "seq" in row else "id"
        here = update(table).where(table.c[key] == row[key])
        try:
            with engine.begin() as connection:
                connection.execute(here.values(**{column: value}))
        except DBAPIError:
            continue  # the database itself refuses it
        yield row, value


def says(desk: Desk, name: str) -> bool:
    """Whether verifying names the record."""
    report = handlers.verify_audit(desk)
    return any(name in one for one in report.differences)


def restored(desk: Desk) -> int:
    """Let the service look; return how many records it put back or voided."""
    return handlers.adopt_sql_changes(desk).records


def new_trip(desk: Desk, number: int) -> str:
    """Let a breaker pause a command type; return the event's id."""
    action = trip(f"TYPE_{number}", decided_at=NOON + timedelta(minutes=number))
    handlers.apply_action(desk, action)
    return action.id


COLUMNS = [one.name for one in events.c if one.name not in {*UNTOLD, "id"}]


def test_an_event_is_what_the_log_tells(desk: Desk, engine: Engine) -> None:
    """It waits for people, holds its type, and is as grave, whatever SQL wrote in any column."""
    for number, column in enumerate(COLUMNS):
        name = new_trip(desk, number)
        current = partial(stored, engine, events, id=name)
        for _, value in changes(engine, events, column, current, FEW):
            assert says(desk, name), (column, value)
            assert restored(desk) == 1, (column, value)
            assert handlers.verify_audit(desk).intact, (column, value)
            event = handlers.explain_event(desk, name)
            assert (event.resolved, event.severity) == (False, Severity.HIGH), (column, value)
            assert event.action is Action.PAUSE_COMMAND_TYPE
            assert event.command_type == f"TYPE_{number}"
            check_held(desk, number)
    assert {one.type for one in alerts(desk)} >= {AlertType.RECORD_RESTORED}


def check_held(desk: Desk, number: int) -> None:
    """Check that nobody resumes the type of an event."""
    epoch = handlers.show_state(desk).autonomy_epoch
    with pytest.raises(GovernanceError, match="held by unresolved"):
        handlers.resume_command_type(desk, f"TYPE_{number}", by="anna", epoch=epoch)


def test_an_event_of_another_id_is_another_event(desk: Desk, engine: Engine) -> None:
    """The one that tripped is written anew, and what SQL made of its row waits as well."""
    name = new_trip(desk, 1)
    with engine.begin() as connection:
        connection.execute(update(events).values(id="other", resolved=1))
    assert restored(desk) == 1
    assert not handlers.explain_event(desk, name).resolved
    check_held(desk, 1)
    assert says(desk, "other")


def test_a_resolution_by_sql_frees_nothing(desk: Desk, engine: Engine) -> None:
    """Neither readiness nor a resumption nor a proposal believes it, before anybody has looked."""
    name = new_trip(desk, 1)
    with engine.begin() as connection:
        connection.execute(update(events).values(resolved=1))
    check_held(desk, 1)
    with engine.begin() as connection:
        connection.execute(update(events).values(resolved=1, resolved_by="anna"))
    assert handlers.propose_if_ready(desk, handlers.assess(desk)) is None
    assert [event.id for event in handlers.list_unresolved_events(desk)] == [name]
    row = handlers.list_audit(desk, limit=1)[0]
    assert (row.act, row.actor, row.subject) == (Act.RECORD_RESTORED, "sql", name)
    assert row.before["found"] == {"resolved": "1", "resolved_by": "anna"}


def test_an_event_that_sql_deleted_waits_again(desk: Desk, engine: Engine) -> None:
    """What the log tells of it is written anew, and people resolve it as any other."""
    name = new_trip(desk, 1)
    with engine.begin() as connection:
        connection.execute(delete(events))
    assert says(desk, name)
    assert restored(desk) == 1
    assert handlers.verify_audit(desk).intact
    event = handlers.explain_event(desk, name)
    assert (event.command_type, event.scope, event.timestamp) == (
        "TYPE_1",
        "TYPE_1",
        event.timestamp,
    )
    assert not handlers.resolve_event(desk, name, by="anna").already
    assert handlers.verify_audit(desk).intact


def test_the_runbooks_clean_up_is_no_alarm(desk: Desk, engine: Engine) -> None:
    """Resolved events that are ninety days old may be deleted; younger ones are missed."""
    old = new_trip(desk, 1)
    handlers.resolve_event(desk, old, by="anna")
    clock_of(desk).pass_(timedelta(days=91))
    young = trip("TYPE_2", decided_at=desk.clock())
    handlers.apply_action(desk, young)
    handlers.resolve_event(desk, young.id, by="anna")
    with engine.begin() as connection:
        connection.execute(delete(events).where(events.c.id == old))
    assert (restored(desk), handlers.verify_audit(desk).intact) == (0, True)
    with engine.begin() as connection:
        connection.execute(delete(events))
    assert says(desk, young.id)


def test_an_event_that_sql_inserted_blocks_and_is_named(desk: Desk, engine: Engine) -> None:
    """It only keeps people waiting: it stays, people resolve it, and verifying names it."""
    row = stored(engine, events, id=new_trip(desk, 1))
    with engine.begin() as connection:
        connection.execute(insert(events).values({**row, "seq": 99, "id": "made up"}))
    assert restored(desk) == 0
    assert says(desk, "made up")
    handlers.resolve_event(desk, "made up", by="anna")
    assert "no audit row tells the breaker event made up" in handlers.verify_audit(desk).differences


def waiting_act(desk: Desk, number: int) -> str:
    """Let olga ask to resolve an event of its own; return the act's id."""
    wish = ResolveEvent(event_id=new_trip(desk, number), about="a trip")
    return handlers.sign_wish(desk, wish, OLGA).act.id


def carried(desk: Desk, name: str) -> bool:
    """Whether anna carries an act by signing it."""
    try:
        act = handlers.show_joint_act(desk, name)
        return handlers.countersign(desk, name, read_wish(act), ANNA).act.status == "carried"
    except GovernanceError:
        return False


Forge = Callable[[dict[str, Any]], None]


def _swapped(act: dict[str, Any]) -> None:
    act["content"]["eventId"] = "another"


def _renamed(act: dict[str, Any]) -> None:
    act["signatures"][0]["person"] = "vera"


def _earlier(act: dict[str, Any]) -> None:
    act["signatures"][0]["signedAt"] = "2026-01-01T00:00:00.000Z"


def _signed_twice(act: dict[str, Any]) -> None:
    act["signatures"].append({**act["signatures"][0], "person": "ben"})


def _lasting(act: dict[str, Any]) -> None:
    act["expiresAt"] = "2099-01-01T00:00:00.000Z"


def _of_nobody(act: dict[str, Any]) -> None:
    act["neededRoles"] = ["tech-lead"]


def _done(act: dict[str, Any]) -> None:
    act["status"] = "carried"


def _another(act: dict[str, Any]) -> None:
    act["act"], act["subject"] = "resume_command_type", "TYPE_1"


def _redigested(act: dict[str, Any]) -> None:
    act["digest"] = "0" * 64


FORGES = (
    *(_swapped, _renamed, _earlier, _signed_twice, _lasting, _of_nobody, _done),
    *(_another, _redigested),
)


def test_an_act_that_sql_changed_is_void(desk: Desk, engine: Engine) -> None:
    """Nobody carries it alone, whatever of its document or its columns is other than told."""
    for number, forge in enumerate(FORGES):
        name = waiting_act(desk, number)
        act = json.loads(stored(engine, joint_acts, id=name)["document"])
        forge(act)
        write(engine, name, document=json.dumps(act))
        assert says(desk, name), forge.__name__
        assert not carried(desk, name), forge.__name__
        restored(desk)
        shown = handlers.show_joint_act(desk, name)
        assert (shown.status, shown.asked_by) == (JointStatus.VOIDED, "olga"), forge.__name__
        assert "changed by SQL" in str(shown.reason)
        assert handlers.verify_audit(desk).intact, forge.__name__


def write(engine: Engine, name: str, **columns: str) -> None:
    """Write columns of an act by SQL."""
    with engine.begin() as connection:
        connection.execute(update(joint_acts).where(joint_acts.c.id == name).values(**columns))


@pytest.mark.parametrize("column", ["id", "status", "document"])
def test_an_act_is_void_whatever_sql_wrote_in_a_column(
    desk: Desk, engine: Engine, column: str
) -> None:
    """No value of any column lets one person carry it, and all is in order again afterwards."""
    for number, value in enumerate(one for one in TEXTS if one != "waiting"):
        name = waiting_act(desk, number)
        write(engine, name, **{column: value})
        assert not carried(desk, value if column == "id" else name), value
        restored(desk)
        assert handlers.show_joint_act(desk, name).status is JointStatus.VOIDED, value
        assert handlers.verify_audit(desk).intact, value


def test_an_act_that_sql_deleted_or_inserted_is_no_act(desk: Desk, engine: Engine) -> None:
    """What nobody asked for is removed, what is gone is void, and a decided one stays decided."""
    name = waiting_act(desk, 1)
    row = stored(engine, joint_acts, id=name)
    made_up = json.loads(row["document"]) | {"id": "act-made-up"}
    with engine.begin() as connection:
        connection.execute(delete(joint_acts))
        connection.execute(
            insert(joint_acts).values(
                id="act-made-up", status="waiting", document=json.dumps(made_up)
            )
        )
    assert not carried(desk, "act-made-up")
    assert [act.id for act in handlers.list_past_joint_acts(desk, limit=9)] == [name]
    assert handlers.show_joint_act(desk, name).status is JointStatus.VOIDED

    again = waiting_act(desk, 2)
    handlers.withdraw_joint_act(desk, again, by="olga", reason=None)
    with engine.begin() as connection:
        here = update(joint_acts).where(joint_acts.c.id == again)
        text = stored(engine, joint_acts, id=again)["document"]
        text = text.replace('"withdrawn"', '"waiting"')
        connection.execute(here.values(status="waiting", document=text))
    assert not carried(desk, again)
    assert handlers.show_joint_act(desk, again).status is JointStatus.WITHDRAWN
    assert handlers.verify_audit(desk).intact


def test_a_resumption_that_sql_asked_for_frees_nothing(desk: Desk, engine: Engine) -> None:
    """Its row carries all that a real one does but for the rows of the audit log."""
    new_trip(desk, 1)
    handlers.resolve_event(desk, handlers.list_unresolved_events(desk)[0].id, by="anna")
    wish = ResumeType(command_type="TYPE_1", epoch=handlers.show_state(desk).autonomy_epoch)
    act = handlers.sign_wish(desk, wish, OLGA).act
    handlers.withdraw_joint_act(desk, act.id, by="olga", reason=None)
    real = act.to_wire() | {"id": "act-0123456789abcdef"}
    with engine.begin() as connection:
        connection.execute(
            insert(joint_acts).values(id=real["id"], status="waiting", document=json.dumps(real))
        )
    assert handlers.sign_wish(desk, wish, ANNA).outcome is None
    assert handlers.show_state(desk).paused_command_types == ["TYPE_1"]


def approved(desk: Desk) -> Proposal:
    """Return a proposal that anna approved, and that waits for ben."""
    found = handlers.list_proposals(desk)
    proposal = found[0] if found else proposed(desk)
    handlers.approve_proposal(desk, proposal.id, TECH)
    return handlers.show_proposal(desk, proposal.id)


def rises(desk: Desk, name: str) -> bool:
    """Whether ben's approval raises the phase."""
    try:
        return handlers.approve_proposal(desk, name, OPS).phase_changed
    except GovernanceError:
        return False


def check_void(desk: Desk, name: str, why: object) -> None:
    """Check that a proposal raises nothing and is void, and that all is told again."""
    assert says(desk, name), why
    assert not rises(desk, name), why
    restored(desk)
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS, why
    assert not handlers.list_proposals(desk), why
    assert handlers.verify_audit(desk).intact, (why, handlers.verify_audit(desk).problem)
    clock_of(desk).pass_(timedelta(seconds=1))


OF_PROPOSALS = [one.name for one in scope_expansion_proposals.c if one.name not in UNTOLD]
OF_APPROVALS = [one.name for one in proposal_approvals.c if one.name not in UNTOLD]


def test_a_proposal_that_sql_changed_is_void(desk: Desk, engine: Engine) -> None:
    """Ben's approval raises nothing by it, whichever column says something else."""

    def current() -> dict[str, Any]:
        return stored(engine, scope_expansion_proposals, id=approved(desk).id)

    for column in OF_PROPOSALS:
        for row, value in changes(engine, scope_expansion_proposals, column, current, FEWER):
            check_void(desk, row["id"], (column, value))


DOCUMENT: dict[str, Any] = {
    "requiredApprovals": ["ops-lead"],
    "expiresAt": "2099-01-01T00:00:00.000Z",
    "requestedBy": "vera",
    "proposedBy": "vera",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "version": 7,
    "proposalId": "expansion-other",
    "digest": "0" * 64,
    "decidedBy": "ben",
    "status": "approved",
}


def test_a_proposal_whose_document_sql_changed_is_void(desk: Desk, engine: Engine) -> None:
    """The roles that it takes, its end, and what it allows are those that the log tells."""
    wider = {"commandsToWhitelist": ["ABORT"], "currentPhase": "L3+", "targetPhase": "L4"}
    for name, value in {**DOCUMENT, "expansion": {**wider, "validationPeriod": 1}}.items():
        proposal = approved(desk)
        row = stored(engine, scope_expansion_proposals, id=proposal.id)
        document = json.loads(row["proposal"]) | {name: value}
        with engine.begin() as connection:
            chosen = scope_expansion_proposals
            here = update(chosen).where(chosen.c.id == proposal.id)
            connection.execute(here.values(proposal=json.dumps(document)))
        check_void(desk, proposal.id, name)


def test_an_approval_that_sql_wrote_voids_what_it_approves(desk: Desk, engine: Engine) -> None:
    """One that was changed, deleted or inserted: nobody knows who approved any more."""

    def current() -> dict[str, Any]:
        return stored(engine, proposal_approvals, proposal_id=approved(desk).id)

    for column in OF_APPROVALS:
        for row, value in changes(engine, proposal_approvals, column, current, FEWER):
            assert not rises(desk, row["proposal_id"]), (column, value)
            restored(desk)
            assert handlers.show_state(desk).current_phase is Phase.L3_PLUS, (column, value)
            with engine.begin() as connection:  # what approves nothing is left where it is
                chosen = proposal_approvals.c.proposal_id
                connection.execute(delete(proposal_approvals).where(~chosen.like("expansion-%")))
            assert handlers.verify_audit(desk).intact, (column, value)
            clock_of(desk).pass_(timedelta(seconds=1))
    row = current()
    name = row["proposal_id"]
    with engine.begin() as connection:
        ours = insert(proposal_approvals).values({**row, "seq": 9_999, "role": "ops-lead"})
        connection.execute(ours)
    check_void(desk, name, "inserted")
    name = approved(desk).id
    with engine.begin() as connection:
        connection.execute(delete(proposal_approvals))
    assert says(desk, name)


def test_a_proposal_that_sql_inserted_is_removed(desk: Desk, engine: Engine) -> None:
    """With whatever approves it; and one that is gone is void."""
    proposal = approved(desk)
    row = stored(engine, scope_expansion_proposals, id=proposal.id)
    name = "expansion-made-up"
    document = json.loads(row["proposal"]) | {"id": name, "proposalId": name}
    with engine.begin() as connection:
        connection.execute(delete(scope_expansion_proposals))
        connection.execute(
            insert(scope_expansion_proposals).values(
                {**row, "seq": 99, "id": name, "proposal": json.dumps(document)}
            )
        )
    assert not rises(desk, name)
    assert handlers.list_past_proposals(desk, limit=9) == []
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS
    assert handlers.verify_audit(desk).intact


def test_a_document_of_another_version_is_no_alarm(desk: Desk, engine: Engine) -> None:
    """One that knew fewer fields spelt it otherwise, and its digest is of how it was spelt."""
    proposal = proposed(desk)
    row = stored(engine, scope_expansion_proposals, id=proposal.id)
    document = json.loads(row["proposal"])
    del document["rationale"]["metrics"]["autonomous"]
    digest = document_digest(json.dumps(document))
    document["digest"] = digest
    with engine.begin() as connection:
        values = {"proposal": json.dumps(document), "digest": digest}
        connection.execute(update(scope_expansion_proposals).values(**values))
    told = {**told_facts(proposal), "digest": digest}
    with desk.store.writing() as unit:
        unit.audit.append(
            Act.PROPOSAL_OPENED,
            proposal.id,
            actor=proposal.proposed_by,
            at=proposal.timestamp,
            after=told,
        )
    assert restored(desk) == 0, handlers.verify_audit(desk).problem
    assert handlers.verify_audit(desk).intact


def test_a_rejected_proposal_that_sql_opens_again_stays_rejected(
    desk: Desk, engine: Engine
) -> None:
    """What is decided is decided."""
    proposal = approved(desk)
    handlers.reject_proposal(desk, proposal.id, by="cleo")
    row = stored(engine, scope_expansion_proposals, id=proposal.id)
    document = row["proposal"].replace('"status":"rejected"', '"status":"pending"')
    for change in ({"proposal": document}, {"status": "pending"}):
        with engine.begin() as connection:
            connection.execute(update(scope_expansion_proposals).values(**change))
        assert not rises(desk, proposal.id)
        status = handlers.show_proposal(desk, proposal.id).status
        assert status is ProposalStatus.REJECTED
        assert handlers.verify_audit(desk).intact


OF_RIGHTS = ("x", '["tech-lead"]', '["admin"]', "anna", "2099-01-01T00:00:00.000Z")
OF_TOKENS = [one.name for one in api_tokens.c if one.name not in UNTOLD]


def test_a_token_has_no_more_rights_than_the_log_tells(desk: Desk, engine: Engine) -> None:
    """Whatever SQL made of its row: other roles, another name, another secret, a later end."""
    made: list[ApiToken] = []

    def current() -> dict[str, Any]:
        day = timedelta(days=1)
        made.append(handlers.create_token(desk, "vera", [Role.VIEWER], by="test", lifetime=day)[0])
        return stored(engine, api_tokens, id=made[-1].id)

    for column in OF_TOKENS:
        for row, value in changes(engine, api_tokens, column, current, OF_RIGHTS):
            found = handlers.find_token(desk, row["id"])
            assert says(desk, row["id"]), (column, value)
            assert restored(desk) >= 1, (column, value)
            assert handlers.verify_audit(desk).intact, (column, value)
            assert handlers.find_token(desk, str(value)) is None
            if found is not None:
                shown, most = found.shown, made[-1]
                assert {*shown.roles} <= {Role.VIEWER}, (column, value)
                assert (shown.principal, found.hash) == ("vera", row["hash"]), (column, value)
                assert shown.expires_at is not None
                assert most.expires_at is not None
                assert shown.expires_at <= most.expires_at, (column, value)


def test_a_token_that_sql_let_in_again_or_made_lets_nobody_in(desk: Desk, engine: Engine) -> None:
    """Revoked is revoked, in the request after; and a row that no audit row tells is removed."""
    shown, _ = handlers.create_token(desk, "anna", [Role.TECH_LEAD], by="test")
    handlers.find_token(desk, shown.id)
    handlers.revoke_token(desk, shown.id, by="test")
    row = stored(engine, api_tokens, id=shown.id)
    with engine.begin() as connection:
        connection.execute(update(api_tokens).values(revoked_at=None))
        connection.execute(insert(api_tokens).values({**row, "id": "made-up", "revoked_at": None}))
    found = handlers.find_token(desk, shown.id)
    assert found is not None
    assert not found.shown.is_valid(desk.clock())
    assert handlers.find_token(desk, "made-up") is None
    assert restored(desk) == 2
    assert [token.id for token in handlers.list_tokens(desk)] == [shown.id]
    assert handlers.verify_audit(desk).intact


def test_what_sql_takes_from_a_token_is_gone(desk: Desk, engine: Engine) -> None:
    """It may be the fastest way to shut somebody out, who then has nothing that waits."""
    handlers.create_token(desk, "olga", [Role.OPERATOR, Role.VIEWER], by="test")
    act = waiting_act(desk, 1)
    with engine.begin() as connection:
        connection.execute(update(api_tokens).values(roles='["viewer"]'))
    assert restored(desk) == 1
    assert handlers.list_tokens(desk)[0].roles == [Role.VIEWER]
    with engine.begin() as connection:
        connection.execute(update(api_tokens).values(revoked_at="2026-11-23T12:00:00.000Z"))
    assert restored(desk) == 1
    assert not handlers.list_tokens(desk)[0].is_valid(desk.clock())
    assert handlers.show_joint_act(desk, act).status is JointStatus.VOIDED
    assert (restored(desk), handlers.verify_audit(desk).intact) == (0, True)


def test_tokens_of_before_are_noted_once(desk: Desk, engine: Engine) -> None:
    """An older version did not tell their secrets: what is there first counts from then on."""
    shown, _ = handlers.create_token(desk, "anna", [Role.TECH_LEAD], by="test")
    row = stored(engine, api_tokens, id=shown.id)
    told = shown.model_copy(update={"id": "0123456789abcdef"})
    with desk.store.writing() as unit:
        unit.audit.append(
            Act.TOKEN_CREATED, told.id, actor="x", at=desk.clock(), after=told.to_wire()
        )
    with engine.begin() as connection:
        connection.execute(insert(api_tokens).values({**row, "id": told.id}))
    assert (handlers.note_tokens(desk), handlers.note_tokens(desk)) == (1, 0)
    assert (restored(desk), handlers.verify_audit(desk).intact) == (0, True)
    with engine.begin() as connection:
        connection.execute(update(api_tokens).where(api_tokens.c.id == told.id).values(hash="x"))
    assert handlers.find_token(desk, told.id) is None


def test_a_restore_of_before_is_no_alarm(desk: Desk, engine: Engine) -> None:
    """It kept tokens revoked without a row for each, and that is how they stay."""
    shown, _ = handlers.create_token(desk, "anna", [Role.TECH_LEAD], by="test")
    told = {"known": [{"source": "x", "revokedTokens": [shown.id, "gone"]}]}
    with desk.store.writing() as unit:
        unit.tokens.revoke(shown.id, desk.clock())
        unit.audit.append(Act.DATABASE_RESTORED, "database", actor="x", at=desk.clock(), after=told)
    assert (restored(desk), handlers.verify_audit(desk).intact) == (0, True)
    with engine.begin() as connection:
        connection.execute(update(api_tokens).values(principal="ben"))
    assert restored(desk) == 1


def test_a_long_honest_history_is_no_alarm(desk: Desk) -> None:
    """Trips, answers, acts, proposals, rises, lowerings and tokens: nothing differs, ever."""
    for number in range(1, 40):
        name = new_trip(desk, number)
        clock_of(desk).pass_(timedelta(hours=7))
        handlers.acknowledge_event(desk, name, by="olga")
        handlers.resolve_event(desk, name, by="anna", notes="ü", cause="c", incident_id="i")
        if number % 3 == 0:
            handlers.reopen_event(desk, name, by="olga", reason="again")
            act = handlers.sign_wish(desk, ResolveEvent(event_id=name, about="it"), OLGA).act
            assert carried(desk, act.id)
        if number % 5 == 0:
            shown, _ = handlers.create_token(desk, f"p{number}", [Role.VIEWER], by="test")
            handlers.revoke_token(desk, shown.id, by="test")
        for event in handlers.list_unresolved_events(desk):
            handlers.resolve_event(desk, event.id, by="anna")
        if number % 8 == 0:
            clock_of(desk).pass_(timedelta(days=90))
            make_ready(desk, Phase.L3_PLUS)
            proposal = approved(desk)
            if number // 8 % 2:
                handlers.pull_kill_switch(desk, reason="drill", by="olga")
            else:
                assert rises(desk, proposal.id)
                handlers.roll_back(desk, Phase.L3, reason="drill", by="olga")
        handlers.tend_joint_acts(desk)
        handlers.tend_proposals(desk)
        assert restored(desk) == 0, number
    report = handlers.verify_audit(desk)
    assert report.intact, report.problem
