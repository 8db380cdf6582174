"""Thousands of steps of people, programs and mischief over HTTP: grave acts take two people.

The requests go to the whole application in token mode, over a database of its own. The machine
reads that database with plain SQL before and after each of them, keeps books of its own about who
asked for what, and never asks the product whether that was enough.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.callers import Role, Scope
from governance.service import StateService
from schemas.actions import Frontier
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action
from schemas.settings import Settings
from tests.desks import NOON, SetClock
from tests.desks import trip as tripped
from tests.ladders import make_ready

HOME = "http://governance.example:4007"
WAITS = timedelta(hours=72)

HOLDERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("anna", ("tech-lead",), ()),
    ("anna", ("ops-lead", "operator"), ()),
    ("ben", ("ops-lead",), ()),
    ("ben", ("viewer",), ()),
    ("cleo", ("tech-lead", "ops-lead"), ()),
    ("dora", ("tech-lead", "product-lead"), ()),
    ("olga", ("operator",), ()),
    ("oleg", ("operator", "viewer"), ()),
    ("pia", ("product-lead",), ()),
    ("erik", ("exec-sponsor",), ()),
    ("adam", ("admin", "operator"), ()),
    ("vera", ("viewer",), ()),
    ("robot", ("service",), ("read", "lower", "cycle")),
    ("anna", ("service",), ("lower",)),
)
"""Everybody who holds a token: a name, roles, scopes. Some hold several, and one is a program."""

MAY_ASK = {"operator", "tech-lead", "ops-lead"}
MAY_SIGN = {"tech-lead", "ops-lead"}
MAY_LOWER = {"operator", "tech-lead", "ops-lead", "product-lead", "exec-sponsor"}
LIFTS = {
    "L3": ["tech-lead"],
    "L3+": ["tech-lead", "ops-lead"],
    "L4": ["tech-lead", "ops-lead", "product-lead"],
    "L4+": ["tech-lead", "ops-lead", "product-lead", "exec-sponsor"],
}
"""Who agrees to the end of a cooldown at a phase: the tables of the documents, once more."""

BELOW = {"L5": "L4+", "L4+": "L4", "L4": "L3+", "L3+": "L3", "L3": "L3"}

RULES = ("High Error Rate", "High Rollback Rate", "Zu viele Abbrüche ☂")
ACTIONS = ("alert_only", "pause_command_type", "revert_to_l3")
SEVERITIES = ("low", "medium", "high", "critical")
TYPES = ("SET_POWER", "SET_FAN")
ITEMS = ("Kill switch tested", "Rollback rate <2%")

THRESHOLDS = st.sampled_from(["0.01", "0.03", "0.05", "0.07", "0.09"])
ANY = st.integers(0, 10_000)
LEADS = [0, 2, 4]
WHO = st.sampled_from([*range(len(HOLDERS)), *LEADS * 4, 6, 6])
"""Anybody, and often those who may."""


class Written(NamedTuple):
    """A rule's row."""

    enabled: int
    condition: str
    action: str
    severity: str
    window: str
    others: tuple[Any, ...]

    @property
    def threshold(self) -> float:
        """Return the bound of a condition of one metric and one bound."""
        return float(self.condition.rpartition(">")[2])

    def is_looser_than(self, before: Written) -> bool:
        """Whether it is looser in anything, as far as a child can see."""
        return (
            self.enabled < before.enabled
            or ACTIONS.index(self.action) < ACTIONS.index(before.action)
            or SEVERITIES.index(self.severity) < SEVERITIES.index(before.severity)
            or self.threshold > before.threshold
            or (self.window, self.others) != (before.window, before.others)
        )


Rise = tuple[Any, ...]
"""What happened that takes two people: its kind, its subject, and what it is now."""


@dataclass(frozen=True)
class World:
    """What the database says, by SQL."""

    rules: dict[str, Written]
    paused: frozenset[str]
    resumed: frozenset[str]
    resolved: dict[str, tuple[bool, bool, str | None]]
    items: dict[str, tuple[int, int]]
    lifted: frozenset[int]
    phase: str

    def rises_to(self, after: World) -> list[Rise]:
        """Return what happened on the way to *after* that takes two people."""
        freed = (self.paused - after.paused) | (after.resumed - self.resumed)
        return [
            *(("add", name, after.rules[name]) for name in after.rules.keys() - self.rules.keys()),
            *(("delete", name, None) for name in self.rules.keys() - after.rules.keys()),
            *(
                ("loosen", name, new)
                for name, new in after.rules.items()
                if name in self.rules and new.is_looser_than(self.rules[name])
            ),
            *([("resume", ", ".join(sorted(freed)), None)] if freed else []),
            *(
                ("resolve", name, finding)
                for name, (grave, done, finding) in after.resolved.items()
                if grave and done and not self.resolved.get(name, (grave, False, None))[1]
            ),
            *(("item", name, new) for name, new in after.items.items() if new != self.items[name]),
            *([("lift", "governance", None)] if after.lifted > self.lifted else []),
        ]


@dataclass
class Ask:
    """What somebody asked for, in the books."""

    rise: Rise
    by: list[str]
    at: datetime
    roles: list[str] = field(default_factory=list)
    gone: str | None = None


class Token(NamedTuple):
    """Who holds it and how it is sent."""

    name: str
    roles: frozenset[str]
    scopes: frozenset[str]
    id: str
    headers: dict[str, str]

    @property
    def is_program(self) -> bool:
        """Whether a program holds it."""
        return "service" in self.roles

    def may(self, roles: set[str]) -> bool:
        """Whether a person with this token holds one of *roles*."""
        return not self.is_program and bool(self.roles & roles)

    @property
    def may_lower(self) -> bool:
        """Whether its holder may lower autonomy."""
        return "lower" in self.scopes or self.may(MAY_LOWER)


class Plant:
    """One application whose database is put back to its beginning for each example."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.path, self._first = folder / "governance.db", folder / "first.db"
        chosen = Settings(
            kafka_bootstrap_servers="127.0.0.1:1",
            auth="token",
            requests_per_minute=10_000_000,
            db_path=self.path,
            log_file=folder / "governance.log",
            pid_file=folder / "governance.pid",
        )
        self.service = StateService(chosen, clock=self.clock)
        self.desk = self.service.desk
        self.service.store.migrate()
        handlers.create(self.desk)
        make_ready(self.desk, Phase.L5)
        self.tokens = [self._token(*holder) for holder in HOLDERS]
        self._close()
        shutil.copy(self.path, self._first)
        self._app = create_app(self.service, chosen)
        self.callers = 0

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; each that is refused counts against an address of its own."""
        scope["client"] = (f"caller-{self.callers}", 4007)
        await self._app(scope, receive, send)

    def _token(self, name: str, roles: tuple[str, ...], scopes: tuple[str, ...]) -> Token:
        shown, spelled = handlers.create_token(
            self.desk, name, [Role(role) for role in roles], by="the test",
            scopes=[Scope(scope) for scope in scopes],
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {spelled}"}
        return Token(name, frozenset(roles), frozenset(scopes), shown.id, headers)

    def _close(self) -> None:
        """Let go of the file, with everything in it and nothing beside it."""
        self.service.store.close()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def begin(self) -> None:
        """Begin again, at noon."""
        self._close()
        shutil.copy(self._first, self.path)
        self.clock.now = NOON
        self.see(partitions=2)  # another number of them makes the service forget the last example
        self.see()

    def see(self, *, partitions: int = 1) -> None:
        """Let a judge report."""
        self.service.frontiers.note(
            Frontier(partition=0, partitions=partitions, judged_until=self.clock.now, worker="w-0")
        )

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what plain SQL finds."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()

    def world(self) -> World:
        """Return what the database says now."""
        with closing(sqlite3.connect(self.path)) as connection:

            def rows(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query).fetchall()

            ((phase, paused, everything, resumed),) = rows(
                "SELECT current_phase, paused_command_types, all_paused, resumed_command_types"
                " FROM governance_state"
            )
            return World(
                rules={
                    name: Written(enabled, condition, action, severity, window, tuple(others))
                    for name, enabled, condition, action, severity, window, *others in rows(
                        "SELECT name, enabled, condition, action, alert_severity, window,"
                        " group_by, for_duration, keep_firing_for, recover_when, min_samples"
                        " FROM circuit_breaker_rules WHERE condition LIKE '%Rate > %'"
                    )
                },
                paused=frozenset([*json.loads(paused), *(["*"] if everything else [])]),
                resumed=frozenset(json.loads(resumed)),
                resolved={
                    name: (severity in ("high", "critical"), bool(done), finding)
                    for name, severity, done, finding in rows(
                        "SELECT id, severity, resolved, finding FROM circuit_breaker_events"
                    )
                },
                items={
                    name: (weight, required)
                    for name, weight, required in rows(
                        "SELECT name, weight, required FROM checklist_items"
                    )
                },
                lifted=frozenset(
                    number for (number,) in rows("SELECT seq FROM cooldowns WHERE lifted_at != ''")
                ),
                phase=phase,
            )


class TwoPeople(RuleBasedStateMachine):
    """One installation, its people, and what they try."""

    plant: Plant
    client: TestClient

    @initialize()
    def begin(self) -> None:
        """Start with nothing asked for."""
        self.plant.begin()
        self.asks: dict[str, Ask] = {}
        self.revoked: set[str] = set()
        self.by_sql: set[str] = set()
        self.blind = False
        self.trips = 0
        self._trip(*(TYPES[0], "pause_command_type", "high"))

    # What people ask for.

    @rule(who=WHO, which=ANY, finding=st.sampled_from([None, "drill", "true_positive"]))
    def resolve(self, who: int, which: int, finding: str | None) -> None:
        """Ask to resolve any event."""
        events = self.plant.world().resolved
        name = sorted(events)[which % len(events)]
        grave, done, _ = events[name]
        body = {} if finding is None else {"verdict": finding}
        answer = self._send(
            who, "POST", f"/api/circuit-breaker/events/{name}/resolve", body,
            rise=("resolve", name, finding),
        )  # fmt: skip
        if not grave and not done and self._token(who).may(MAY_ASK):
            assert self._token(who).id in self.revoked or answer.status_code == 200, answer.text

    @rule(who=WHO, kind=st.sampled_from(TYPES), old=st.integers(0, 4))
    def resume(self, who: int, kind: str, old: int) -> None:
        """Ask to resume a type, now and then on an epoch that is over."""
        ((epoch,),) = self.plant.rows("SELECT autonomy_epoch FROM governance_state")
        seen = max(1, epoch - (old == 0))
        path = f"/api/circuit-breaker/command-types/{kind}/resume"
        self._send(who, "POST", path, {"autonomyEpoch": seen}, rise=("resume", kind, None))

    @rule(who=WHO, kinds=st.lists(st.sampled_from(TYPES), min_size=1), old=st.integers(0, 4))
    def resume_several(self, who: int, kinds: list[str], old: int) -> None:
        """Ask to resume several types by one act, now and then on an epoch that is over."""
        ((epoch,),) = self.plant.rows("SELECT autonomy_epoch FROM governance_state")
        wanted = {"commandTypes": kinds, "autonomyEpoch": max(1, epoch - (old == 0))}
        rise = ("resume", ", ".join(sorted(set(kinds))), None)
        self._send(who, "POST", "/api/circuit-breaker/command-types/resume", wanted, rise=rise)

    @rule(who=WHO, old=st.integers(0, 4))
    def resume_everything(self, who: int, old: int) -> None:
        """Ask to end the pause of everything, now and then on an epoch that is over."""
        ((epoch,),) = self.plant.rows("SELECT autonomy_epoch FROM governance_state")
        wanted = {"allPaused": False, "autonomyEpoch": max(1, epoch - (old == 0))}
        path = "/api/circuit-breaker/command-types/resume"
        self._send(who, "POST", path, wanted, rise=("resume", "*", None))

    @rule(
        who=WHO,
        name=st.sampled_from(RULES),
        patch=st.fixed_dictionaries(
            {},
            optional={
                "enabled": st.booleans(),
                "threshold": THRESHOLDS,
                "action": st.sampled_from(["alert_only", "revert_to_l3"]),
                "alertSeverity": st.sampled_from(SEVERITIES),
                "window": st.sampled_from(["5m", "10m"]),
                "minSamples": st.sampled_from([1, 20]),
                "for": st.sampled_from(["0s", "30s", None]),
                "groupBy": st.none(),
            },
        ),
        stale=st.integers(0, 9),
    )
    def change_rule(self, who: int, name: str, patch: dict[str, Any], stale: int) -> None:
        """Ask to change a rule in any fields, null ones too."""
        before = self.plant.world().rules.get(name)
        patch = dict(patch)
        if "threshold" in patch:
            metric = (before.condition if before else "errorRate > 0").partition(" ")[0]
            patch["condition"] = f"{metric} > {patch.pop('threshold')}"
        after = None if before is None else _patched(before, patch)
        headers = {"If-Match": '"1"'} if stale == 0 else {}
        answer = self._send(
            who, "PATCH", _rule(name), patch, rise=("loosen", name, after), headers=headers
        )
        if after is None or before is None or stale == 0 or after.is_looser_than(before):
            return
        if name in self.by_sql:
            return  # it is weighed against what is in force, and not against the row
        token = self._token(who)
        if token.may_lower and token.id not in self.revoked:
            assert answer.status_code == 200, answer.text
            assert self.plant.world().rules[name] == after

    @rule(who=WHO, name=st.sampled_from(RULES))
    def delete_rule(self, who: int, name: str) -> None:
        """Ask to delete a rule."""
        self._send(who, "DELETE", _rule(name), None, rise=("delete", name, None))

    @rule(who=WHO, name=st.sampled_from(RULES), threshold=THRESHOLDS)
    def add_rule(self, who: int, name: str, threshold: str) -> None:
        """Ask for a rule, perhaps again."""
        new = Written(
            1, f"errorRate > {threshold}", "alert_only", "medium", "5m", (None, "0s", "0s", None, 1)
        )
        body = {
            "name": name,
            "condition": new.condition,
            "window": new.window,
            "action": new.action,
            "alertSeverity": new.severity,
        }
        self._send(who, "POST", "/api/circuit-breaker/rules", body, rise=("add", name, new))

    @rule(
        who=WHO,
        name=st.sampled_from(ITEMS),
        weight=st.integers(0, 3),
        required=st.none() | st.booleans(),
    )
    def weigh(self, who: int, name: str, weight: int, required: bool | None) -> None:
        """Ask for another weight."""
        before = self.plant.world().items[name]
        after = (weight, before[1] if required is None else int(required))
        body = {"weight": weight} | ({} if required is None else {"required": required})
        path = f"/api/readiness/checklist/{quote(name)}"
        self._send(who, "PATCH", path, body, rise=("item", name, after))

    @rule(who=WHO, role=st.sampled_from(LIFTS["L4+"]))
    def lift(self, who: int, role: str) -> None:
        """Agree to the end of the cooldown."""
        self._send(
            who, "POST", "/api/governance/cooldown/lift", {"approvedBy": role},
            rise=("lift", "governance", None), role=role,
        )  # fmt: skip

    # What people do with what was asked for.

    @precondition(lambda self: self.asks)
    @rule(who=WHO, which=ANY, role=st.sampled_from(LIFTS["L4+"]))
    def countersign(self, who: int, which: int, role: str) -> None:
        """Sign anything that was ever asked for."""
        name = self._ask(which)
        ask = self.asks[name]
        path = f"/api/governance/joint-acts/{name}/countersign"
        body = {"approvedBy": role} if ask.rise[0] == "lift" else None
        self._send(who, "POST", path, body, rise=ask.rise, role=role, signs=name)

    @rule(kind=st.sampled_from(TYPES))
    def give_back(self, kind: str) -> None:
        """Let the right people resolve all that holds a type, and resume it."""
        for name, (grave, done, _) in sorted(self.plant.world().resolved.items()):
            if grave and not done:
                path = f"/api/circuit-breaker/events/{name}/resolve"
                for who in LEADS[:2]:
                    self._send(who, "POST", path, {}, rise=("resolve", name, None))
        for who in (0, 4):
            self.resume(who, kind, 1)

    @rule(name=st.sampled_from(RULES), threshold=THRESHOLDS, enabled=st.booleans())
    def agree_on_rule(self, name: str, threshold: str, enabled: bool) -> None:
        """Let the right people change a rule."""
        for who in (6, 2):
            self.change_rule(who, name, {"threshold": threshold, "enabled": enabled}, 1)

    @rule()
    def end_cooldown(self) -> None:
        """Lower the phase by one, and let the right people end the cooldown."""
        phase = self.plant.world().phase
        if phase == "L3":
            return
        body = {"targetPhase": BELOW[phase], "reason": "to be safe"}
        self._send(6, "POST", "/api/governance/rollback", body, rise=None)
        for who, role in ((0, "tech-lead"), (2, "ops-lead"), (8, "product-lead")):
            self.lift(who, role)
        self.lift(9, "exec-sponsor")

    @precondition(lambda self: self.asks)
    @rule(who=WHO, which=ANY, chance=st.integers(0, 2))
    def withdraw(self, who: int, which: int, chance: int) -> None:
        """Take anything back that was ever asked for."""
        if chance:
            return
        name = self._ask(which)
        path = f"/api/governance/joint-acts/{name}/withdraw"
        answer = self._send(who, "POST", path, {"reason": "no"}, rise=None)
        if answer.status_code == 200:
            token = self._token(who)
            assert token.may({*LIFTS["L4+"]}) or token.name == self.asks[name].by[0]
            self.asks[name].gone = "withdrawn"

    # What happens in between.

    @rule(
        kind=st.sampled_from(TYPES), action=st.sampled_from(ACTIONS),
        severity=st.sampled_from(SEVERITIES), chance=st.integers(0, 1),
    )  # fmt: skip
    def trip(self, kind: str, action: str, severity: str, chance: int) -> None:
        """Let a breaker trip."""
        if not chance:
            self._trip(kind, action, severity)

    def _trip(self, kind: str, action: str, severity: str) -> None:
        self.trips += 1
        at = self.plant.clock.now - timedelta(minutes=5) + timedelta(milliseconds=self.trips)
        handlers.apply_action(
            self.plant.desk,
            tripped(kind, Action(action), Severity(severity), decided_at=at, rule="Odd"),
        )

    @rule(who=WHO, which=ANY, how=st.sampled_from(["roll", "kill", "acknowledge", "reopen"]))
    def lower(self, who: int, which: int, how: str) -> None:
        """Lower autonomy, which always works alone."""
        world = self.plant.world()
        name = sorted(world.resolved)[which % len(world.resolved)]
        path, body = {
            "roll": (
                "/api/governance/rollback", {"targetPhase": world.phase, "reason": "to be safe"},
            ),
            "kill": ("/api/kill-switch", {"reason": "to be safe"}),
            "acknowledge": (f"/api/circuit-breaker/events/{name}/acknowledge", None),
            "reopen": (f"/api/circuit-breaker/events/{name}/reopen", {"reason": "too soon"}),
        }[how]  # fmt: skip
        if how == "roll" and which % 3 == 0:
            body = {**(body or {}), "targetPhase": BELOW[world.phase]}
        if how == "kill" and which % 6:
            return
        answer = self._send(who, "POST", path, body, rise=None)
        token = self._token(who)
        if token.may_lower and token.id not in self.revoked:
            assert answer.status_code == 200, (how, answer.text)

    @precondition(lambda self: self.asks)
    @rule(who=WHO, which=ANY, chance=st.integers(0, 2))
    def sign_after_revocation(self, who: int, which: int, chance: int) -> None:
        """End every token of who asked, and let somebody sign."""
        name = self._ask(which)
        asker = self.asks[name].by[0]
        if chance or len(self.revoked) > 3:
            return
        for number, token in enumerate(self.plant.tokens):
            if token.name == asker:
                self.revoke(number, 0)
        path = f"/api/governance/joint-acts/{name}/countersign"
        self._send(who, "POST", path, None, rise=self.asks[name].rise, signs=name)

    @rule(who=WHO, chance=st.integers(0, 9))
    def revoke(self, who: int, chance: int) -> None:
        """End a token: what its holder asked for is asked for by nobody any more."""
        token = self._token(who)
        if chance or token.id in self.revoked or len(self.revoked) > 5:
            return
        handlers.revoke_token(self.plant.desk, token.id, by="the test")
        self.revoked.add(token.id)
        for ask in self.asks.values():
            if token.name in ask.by:
                ask.gone = ask.gone or "revoked"

    @rule(hours=st.sampled_from([1, 5, 30, 73]), chance=st.integers(0, 3), tends=st.booleans())
    def wait(self, hours: int, chance: int, tends: bool) -> None:
        """Let time pass."""
        if chance:
            return
        self.plant.clock.pass_(timedelta(hours=hours))
        if not self.blind:
            self.plant.see()
        if tends:
            handlers.tend_joint_acts(self.plant.desk)

    @rule(sees=st.sampled_from([True, True, False]))
    def look_away(self, sees: bool) -> None:
        """Let the judges fall behind, or catch up."""
        self.blind = not sees
        if self.blind:
            self.plant.clock.pass_(timedelta(minutes=11))
        else:
            self.plant.see()

    @rule(name=st.sampled_from(RULES), threshold=THRESHOLDS, adopts=st.booleans())
    def change_by_sql(self, name: str, threshold: str, adopts: bool) -> None:
        """Change a rule as the runbook does, on the machine where the database is."""
        self.by_sql.add(name)
        with closing(sqlite3.connect(self.plant.path)) as connection:
            connection.execute(
                "UPDATE circuit_breaker_rules SET condition = 'errorRate > ' || ? WHERE name = ?"
                " AND condition LIKE 'errorRate > %'",
                (threshold, name),
            )
            connection.commit()
        if adopts:
            handlers.adopt_sql_changes(self.plant.desk)

    @rule(
        which=ANY,
        how=st.sampled_from(["resolve", "swap", "sign", "ask", "let in", "lift"]),
        adopts=st.booleans(),
    )
    def meddle_by_sql(self, which: int, how: str, adopts: bool) -> None:
        """Write to the database what nobody was asked about; its audit log is left alone."""
        anybody = self.plant.tokens[which % len(self.plant.tokens)].name
        statement, values = {
            "resolve": ("UPDATE circuit_breaker_events SET resolved = 1", ()),
            "swap": (
                "UPDATE joint_acts SET document = replace(replace(document, '0.0', '0.9'),"
                " 'SET_FAN', 'SET_POWER') WHERE status = 'waiting'",
                (),
            ),
            "sign": (
                'UPDATE joint_acts SET document = replace(document, \'"person":"\', ?)'
                " WHERE status = 'waiting'",
                (f'"person":"{anybody}-',),
            ),
            "ask": (
                "INSERT OR IGNORE INTO joint_acts (id, status, document) SELECT id || ?, 'waiting',"
                ' replace(replace(document, \'"id":"\' || id, \'"id":"\' || id || ?),'
                ' \'"status":"carried\', \'"status":"waiting\') FROM joint_acts LIMIT 1',
                (f"{which}a", f"{which}a"),
            ),
            "let in": ("UPDATE api_tokens SET revoked_at = NULL", ()),
            "lift": ("UPDATE cooldowns SET until = started_at WHERE lifted_at IS NULL", ()),
        }[how]
        with closing(sqlite3.connect(self.plant.path)) as connection:
            connection.execute(statement, values)
            connection.commit()
        if adopts:
            handlers.adopt_sql_changes(self.plant.desk)

    # The books.

    def _token(self, who: int) -> Token:
        return self.plant.tokens[who % len(self.plant.tokens)]

    def _ask(self, which: int) -> str:
        """Return one of the newest five, so that people meet."""
        newest = list(self.asks)[-5:]
        return newest[which % len(newest)]

    def _send(
        self,
        who: int,
        method: str,
        path: str,
        body: Any,
        *,
        rise: Rise | None,
        role: str | None = None,
        signs: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a request, and hold what happened against the books."""
        token = self._token(who)
        before = self.plant.world()
        answer = self.client.request(
            method, path, headers={**token.headers, **(headers or {})}, json=body
        )
        after = self.plant.world()
        assert answer.status_code < 500, (path, answer.text)
        rises = before.rises_to(after)
        if token.id in self.revoked:
            assert answer.status_code == 401
            self.plant.callers += 1
        if answer.status_code >= 400 or answer.status_code == 202:
            assert not rises, (path, rises)
        if answer.status_code < 400:
            self._note(token, answer, rise, role)
        for one in rises:
            assert one == rise, (path, one, rise)
            self._check_carried(token, one, answer, before, signs)
        assert len(rises) <= 1
        return answer

    def _note(self, token: Token, answer: Any, rise: Rise | None, role: str | None) -> None:
        """Write into the books who asked for, or signed, what."""
        shown = answer.json().get("jointAct")
        if shown is None or rise is None:
            return
        name, people = shown["id"], [one["person"] for one in shown["signatures"]]
        assert not token.is_program
        ask = self.asks.get(name)
        if ask is None:
            assert token.may(MAY_ASK if rise[0] != "lift" else {role or ""}), token
            self.asks[name] = Ask(rise, [token.name], self.plant.clock.now, [role or ""])
            assert people == [token.name]
            return
        if people != ask.by:
            assert people == [*ask.by, token.name], (people, ask)
            assert token.may(MAY_SIGN if rise[0] != "lift" else {role or ""}), token
            assert ask.gone is None, ask
            ask.by, ask.roles = people, [*ask.roles, role or ""]

    def _check_carried(
        self, token: Token, rise: Rise, answer: Any, before: World, signs: str | None
    ) -> None:
        """Check that the books know who asked, and that the second one may."""
        assert not (self.blind and rise[0] in ("resume", "lift"))
        now = self.plant.clock.now
        standing = {
            name: ask
            for name, ask in self.asks.items()
            if ask.rise == rise and ask.gone is None and now < ask.at + WAITS
        }
        if rise[0] == "lift":
            assert token.may({*LIFTS["L4+"]})
            (name,) = (signs,) if signs else (answer.json()["jointAct"]["id"],)
            ask = standing[name]
            assert sorted(ask.roles) == sorted(LIFTS[before.phase])
        else:
            assert token.may(MAY_SIGN), (token, rise)
            others = {name: ask for name, ask in standing.items() if ask.by[0] != token.name}
            assert others, (token, rise, self.asks)
            assert signs is None or signs in others
            ((name,),) = self.plant.rows(
                "SELECT subject FROM audit_log WHERE act = 'joint_act.carried'"
                " ORDER BY seq DESC LIMIT 1"
            )
            ask = others[name]
            ask.by = [ask.by[0], token.name]
        assert len(set(ask.by)) == len(ask.by)
        ask.gone = "carried"
        event(f"carried {rise[0]}")

    def teardown(self) -> None:
        """Look at what the audit log tells of it all."""
        if not hasattr(self, "asks"):
            return
        handlers.adopt_sql_changes(self.plant.desk)
        report = handlers.verify_audit(self.plant.desk)
        assert report.intact, report.problem
        carried = {name: ask for name, ask in self.asks.items() if ask.gone == "carried"}
        told = self.plant.rows("SELECT subject FROM audit_log WHERE act = 'joint_act.carried'")
        assert sorted(name for (name,) in told) == sorted(carried)
        effects = self.plant.rows(
            "SELECT actor FROM audit_log WHERE actor LIKE '%, %' AND act NOT LIKE 'joint_act.%'"
        )
        two = [ask for ask in carried.values() if len(ask.by) > 1]
        assert sorted(actor for (actor,) in effects) == sorted(", ".join(a.by) for a in two)


def _patched(before: Written, patch: dict[str, Any]) -> Written:
    """Return a row with the fields of a patch; one of no meaning for rows is None."""
    group, for_, keep, recover, samples = before.others
    return Written(
        int(patch.get("enabled", before.enabled)),
        patch.get("condition", before.condition),
        patch.get("action", before.action),
        patch.get("alertSeverity", before.severity),
        patch.get("window", before.window),
        (
            patch.get("groupBy", group),
            patch.get("for", for_),
            keep,
            recover,
            patch.get("minSamples", samples),
        ),
    )


def _rule(name: str) -> str:
    """Return a rule's address."""
    return f"/api/circuit-breaker/rules/{quote(name, safe='')}"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Return an application that every example begins anew."""
    plant = Plant(tmp_path_factory.mktemp("plant"))
    yield plant
    plant.service.store.close()


def _play(plant: Plant, *, examples: int) -> None:
    """Play so many games of fifty steps."""
    with TestClient(plant.app, base_url=HOME, raise_server_exceptions=False) as client:
        TwoPeople.plant, TwoPeople.client = plant, client
        run_state_machine_as_test(
            TwoPeople,
            settings=settings(
                max_examples=examples,
                stateful_step_count=50,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_nothing_grave_is_done_by_one_person(plant: Plant) -> None:
    """Whatever takes two people had them, did what was asked, once, and the log names both."""
    _play(plant, examples=60)


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_nothing_grave_is_done_by_one_person_in_ten_thousand_steps(plant: Plant) -> None:
    """The same for longer."""
    _play(plant, examples=200)
