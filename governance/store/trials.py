"""What follows a rise and a demotion: validations and cooldowns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import RowMapping

from governance.cooldown import Cooldown
from governance.store.ladder_tables import cooldowns, validations
from governance.store.moments import read_moment
from governance.validation import Criteria, Progress, Validation
from schemas.wire import iso


class TrialShelf:
    """Loads and saves them; at most one validation runs at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self, validation: Validation) -> None:
        """Insert a validation that begins."""
        self._connection.execute(insert(validations).values(_row(validation)))

    def running(self) -> Validation | None:
        """Return the validation that has not ended, or None."""
        last = self.latest()
        return last if last is not None and last.ended_at is None else None

    def latest(self) -> Validation | None:
        """Return the validation of the last rise, ended or not, or None before any."""
        wanted = select(validations).order_by(validations.c.seq.desc()).limit(1)
        row = self._connection.execute(wanted).mappings().first()
        try:
            return _validation(row) if row else None
        except ValueError:
            # Made unreadable by SQL: it must not keep autonomy from being lowered.
            return None

    def save(self, validation: Validation) -> None:
        """Write how the validation of a proposal stands."""
        self._connection.execute(
            update(validations)
            .where(validations.c.proposal_id == validation.proposal_id)
            .values(_row(validation))
        )

    def cool_down(self, cooldown: Cooldown) -> None:
        """Insert a cooldown that begins."""
        row = {
            "started_at": iso(cooldown.started_at),
            "until": iso(cooldown.until),
            "severity": cooldown.severity.value,
            "cause": cooldown.cause,
        }
        self._connection.execute(insert(cooldowns).values(row))

    def cooldowns(self) -> list[Cooldown]:
        """Return every cooldown there was, newest first, but those that SQL made unreadable."""
        wanted = select(cooldowns).order_by(cooldowns.c.seq.desc())
        read = map(_cooldown, self._connection.execute(wanted).mappings())
        return [one for one in read if one is not None]

    def cooldown(self, now: datetime) -> Cooldown | None:
        """Return the cooldown that runs at *now* and ends last, or None."""
        running = [one for one in self.cooldowns() if not one.is_over(now)]
        return max(running, key=lambda one: one.until, default=None)

    def put_cooldown_back(self, told: Cooldown) -> None:
        """Make the cooldown that began when *told* did what it says."""
        here = cooldowns.c.started_at == iso(told.started_at)
        self._connection.execute(delete(cooldowns).where(here))
        self.cool_down(told)

    def tried(self) -> set[str]:
        """Return the ids of all proposals of which there are validations."""
        return set(self._connection.execute(select(validations.c.proposal_id)).scalars())

    def put_validation_back(self, told: Validation, *, made_up: Collection[str]) -> None:
        """Make *told* the last validation again, without those *made_up*; it is judged anew."""
        gone = validations.c.proposal_id.in_({told.proposal_id, *made_up})
        self._connection.execute(delete(validations).where(gone))
        self.start(told)

    def lift(self, now: datetime, *, by: str) -> None:
        """End every cooldown that runs at *now*."""
        ended = (
            update(cooldowns)
            .where(cooldowns.c.lifted_at.is_(None), cooldowns.c.until > iso(now))
            .values(lifted_at=iso(now), lifted_by=by)
        )
        self._connection.execute(ended)


def _cooldown(row: RowMapping) -> Cooldown | None:
    """Return a stored cooldown, or None: it must not keep autonomy from being lowered."""
    try:
        return Cooldown(
            started_at=read_moment(row["started_at"]),
            until=read_moment(row["until"]),
            severity=row["severity"],
            cause=row["cause"],
            lifted_at=read_moment(row["lifted_at"]) if row["lifted_at"] else None,
            lifted_by=row["lifted_by"],
        )
    except (ValueError, TypeError):
        return None


def _row(validation: Validation) -> dict[str, Any]:
    """Return a validation as columns."""
    ended, progress = validation.ended_at, validation.progress
    return {
        "proposal_id": validation.proposal_id,
        "phase": validation.phase.value,
        "previous_phase": validation.previous_phase.value,
        "started_at": iso(validation.started_at),
        "ends_at": iso(validation.ends_at),
        "status": validation.status.value,
        "extended": int(validation.extended),
        "criteria": validation.criteria.model_dump_json(by_alias=True),
        "progress": progress.model_dump_json(by_alias=True) if progress else "{}",
        "ended_at": iso(ended) if ended else None,
        "reason": validation.reason,
    }


def _validation(row: RowMapping) -> Validation:
    """Return a stored validation."""
    progress, ended = row["progress"], row["ended_at"]
    return Validation(
        proposal_id=row["proposal_id"],
        phase=row["phase"],
        previous_phase=row["previous_phase"],
        started_at=read_moment(row["started_at"]),
        ends_at=read_moment(row["ends_at"]),
        status=row["status"],
        extended=row["extended"] == 1,
        criteria=Criteria.model_validate_json(row["criteria"]),
        progress=None if progress == "{}" else Progress.model_validate_json(progress),
        ended_at=read_moment(ended) if ended else None,
        reason=row["reason"],
    )
