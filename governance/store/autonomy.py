"""The one row of the state, and the history of phases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.engine import RowMapping

from governance.audit import canonical
from governance.autonomy import Autonomy
from governance.phases import check_lowers
from governance.store.moments import read_moment
from governance.store.tables import audit_log, governance_state, phase_history
from governance.store.upsert import upsert
from schemas.errors import Refused
from schemas.governance import Phase
from schemas.wire import iso

SHOWN: Final = 100
"""Characters that are repeated of what SQL wrote and nobody can read."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state's row as it is, and as this service last wrote it.

    The two differ only when somebody changed the row by SQL; ``found`` may then hold anything,
    and nothing where the row was deleted.
    """

    found: dict[str, Any]
    written: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether nobody changed the row behind our back."""
        return self.found == self.written


class AutonomyShelf:
    """Loads and saves the state."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_vouched_for = False
        """Whether somebody compared the seal with the audit log in this transaction."""

    def is_there(self) -> bool:
        """Whether the state was ever created; a row that SQL deleted since is put back soon."""
        present = self._connection.execute(select(governance_state.c.id)).first()
        return present is not None or self._told() is not None

    def load(self) -> Autonomy:
        """Return the state.

        A row that SQL deleted, made unreadable or raised is passed over for the last state that
        we wrote; the watch on such changes restores the row soon.
        """
        stored = self.stored()
        written = read_autonomy(stored.written)
        try:
            found = read_autonomy(stored.found)
            check_lowers(written, found)
        except (ValueError, TypeError, Refused):
            return written
        return found

    def stored(self) -> StoredState:
        """Return the row as found, beside what was written.

        Where SQL took that away too (the row was deleted, or replaced by one without a seal),
        it is what the audit log told last.
        """
        row = self._connection.execute(select(governance_state)).mappings().first()
        written = _unsealed(row["sealed"]) if row else None
        if written is None:
            told = self._told()
            written = _written(told) if told else {}
        return StoredState(found=_fields(row) if row else {}, written=written)

    def sealed(self) -> dict[str, Any] | None:
        """Return the columns as the row's seal has them, or None where it has none."""
        seal = self._connection.execute(select(governance_state.c.sealed)).scalar()
        return _unsealed(seal)

    def unseal(self) -> None:
        """Take the seal off: SQL wrote it, and what the audit log told last counts instead."""
        self._connection.execute(update(governance_state).values(sealed=""))

    def told_at(self, epoch: int) -> Iterator[Autonomy]:
        """Yield every state of *epoch* that the audit log tells: ours, and those it was held to."""
        rows = select(audit_log.c.after).where(
            audit_log.c.after.contains(f'"autonomyEpoch":{epoch},')
        )
        for text in self._connection.execute(rows).scalars():
            yield from _states_in(json.loads(text))

    def _told(self) -> Autonomy | None:
        """Return the state that the audit log told last; None before it told any."""
        snapshots = (
            select(audit_log.c.after)
            .where(audit_log.c.after.contains('"autonomyEpoch":'))
            .order_by(audit_log.c.seq.desc())
        )
        for text in self._connection.execute(snapshots).scalars():
            told = _read_facts(text)
            if told is not None:
                return told
        return None

    def save(self, state: Autonomy, now: datetime) -> None:
        """Write *state*; there is only one."""
        fields = _written(state)
        row = {**fields, "updated_at": iso(now), "sealed": canonical(fields)}
        upsert(self._connection, governance_state, [{"id": 1, **row}])

    def enter_phase(self, state: Autonomy, *, cause: str, actor: str, now: datetime) -> None:
        """Begin a row of history for *state*'s phase."""
        self._connection.execute(
            insert(phase_history).values(
                phase=state.phase.value,
                command_whitelist=json.dumps(state.command_whitelist),
                started_at=iso(now),
                cause=cause,
                actor=actor,
                autonomy_epoch=state.epoch,
            )
        )

    def leave_phase(self, state: Autonomy, now: datetime) -> None:
        """End the present row of history, with the whitelist as *state* held it last."""
        self._connection.execute(
            update(phase_history)
            .where(phase_history.c.ended_at.is_(None))
            .values(ended_at=iso(now), command_whitelist=json.dumps(state.command_whitelist))
        )

    def last_whitelist(self, phase: Phase) -> tuple[str, ...]:
        """Return the whitelist as it was when *phase* was last left; empty if it never was."""
        last = (
            select(phase_history.c.command_whitelist)
            .where(phase_history.c.phase == phase.value, phase_history.c.ended_at.is_not(None))
            .order_by(phase_history.c.seq.desc())
            .limit(1)
        )
        found = self._connection.execute(last).scalar()
        return tuple(json.loads(found)) if found else ()

    def history(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the phases held, newest first."""
        wanted = select(phase_history).order_by(phase_history.c.seq.desc()).limit(limit)
        return [dict(row) for row in self._connection.execute(wanted).mappings()]

    def began(self) -> datetime:
        """Return when the first phase began: the first start of this installation."""
        first = select(func.min(phase_history.c.started_at))
        return read_moment(str(self._connection.execute(first).scalar_one()))

    def entries_by_phase(self) -> dict[Phase, int]:
        """Return how often each phase was entered, those never entered with 0."""
        counted = select(phase_history.c.phase, func.count()).group_by(phase_history.c.phase)
        found = {row[0]: row[1] for row in self._connection.execute(counted)}
        return {phase: found.get(phase.value, 0) for phase in Phase}


def read_autonomy(fields: dict[str, Any]) -> Autonomy:
    """Return the state that *fields* (columns of the row) describe.

    Raises:
        ValueError: a field holds what it cannot mean, or there is no row.
        TypeError: a field is of the wrong kind.
    """
    if not fields:
        raise ValueError("the row of the state was deleted")
    return Autonomy(
        phase=Phase(fields["current_phase"]),
        phase_start_date=read_moment(fields["phase_start_date"]),
        command_whitelist=_names(fields["command_whitelist"]),
        paused_command_types=_names(fields["paused_command_types"]),
        epoch=int(fields["autonomy_epoch"]),
        last_report_date=_maybe(fields["last_report_date"]),
        last_expansion_date=_maybe(fields["last_expansion_date"]),
        all_paused=_flag(fields["all_paused"]),
        resumed_command_types=_names(fields["resumed_command_types"]),
    )


def _states_in(found: Any) -> Iterator[Autonomy]:
    """Yield the states that a snapshot in the audit log tells, however deep they lie in it."""
    if isinstance(found, dict):
        state = _read_facts(json.dumps(found))
        if state is not None:
            yield state
        found = list(found.values())
    if isinstance(found, list):
        for one in found:
            yield from _states_in(one)


def _read_facts(text: str) -> Autonomy | None:
    """Return the state that a snapshot in the audit log tells, or None where it tells none."""
    try:
        told = json.loads(text)
        return Autonomy(
            phase=Phase(told["phase"]),
            phase_start_date=read_moment(told["phaseStartDate"]),
            command_whitelist=tuple(told["commandWhitelist"]),
            paused_command_types=tuple(told["pausedCommandTypes"]),
            epoch=int(told["autonomyEpoch"]),
            all_paused=bool(told.get("allPaused", False)),
            resumed_command_types=tuple(told.get("resumedCommandTypes", ())),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _unsealed(seal: str | None) -> dict[str, Any] | None:
    """Return the columns as we last wrote them, or None where *seal* does not say."""
    try:
        fields = {**_UNSEALED, **json.loads(seal or "")}
        read_autonomy(fields)
    except (ValueError, TypeError, KeyError):
        return None
    return fields


_UNSEALED: Final = {"all_paused": 0, "resumed_command_types": "[]"}
"""Columns that a seal of an older version does not tell, as they were then."""


def _fields(row: RowMapping) -> dict[str, Any]:
    """Return the columns that people may change by SQL."""
    return {
        name: row[name]
        for name in (
            "current_phase",
            "phase_start_date",
            "command_whitelist",
            "paused_command_types",
            "all_paused",
            "resumed_command_types",
            "autonomy_epoch",
            "last_report_date",
            "last_expansion_date",
        )
    }


def _written(state: Autonomy) -> dict[str, Any]:
    """Return *state* as columns."""
    report, expansion = state.last_report_date, state.last_expansion_date
    return {
        "current_phase": state.phase.value,
        "phase_start_date": iso(state.phase_start_date),
        "command_whitelist": json.dumps(state.command_whitelist),
        "paused_command_types": json.dumps(state.paused_command_types),
        "all_paused": int(state.all_paused),
        "resumed_command_types": json.dumps(state.resumed_command_types),
        "autonomy_epoch": state.epoch,
        "last_report_date": iso(report) if report else None,
        "last_expansion_date": iso(expansion) if expansion else None,
    }


def _names(text: str) -> tuple[str, ...]:
    """Return a JSON list of names.

    Raises:
        ValueError: it is not one.
    """
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{text[:SHOWN]!r} is not a JSON list of names")
    return tuple(names)


def _flag(number: object) -> bool:
    """Return what a column of 0 or 1 says.

    Raises:
        ValueError: it is neither.
    """
    if number not in (0, 1):
        raise ValueError(f"{str(number)[:SHOWN]!r} is neither 0 nor 1")
    return number == 1


def _maybe(text: str | None) -> datetime | None:
    """Return the moment that *text* names, or None."""
    return read_moment(text) if text else None
