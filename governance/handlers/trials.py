"""Validations and cooldowns: shown, judged as time goes on, and concluded by people."""

from __future__ import annotations

from datetime import datetime

from governance import ladder_alerts, phases
from governance.audit import Act
from governance.cooldown import Cooldown
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy, publish_alert
from governance.handlers.lowering import SYSTEM
from governance.handlers.sql_changes import present_autonomy
from governance.store import Unit
from governance.validation import Validation, ValidationStatus, judged
from schemas.errors import NotFound, Refused
from schemas.events import Severity
from schemas.governance import Phase


def show_validation(desk: Desk) -> Validation:
    """Return the validation of the last rise as it stands now, ended or not.

    Raises:
        NotFound: no phase was ever raised.
    """
    with desk.store.reading() as unit:
        latest = unit.trials.latest()
    if latest is None:
        raise NotFound("validation", "latest")
    if latest.ended_at is not None:
        return latest
    now = desk.clock()
    seen = judged(latest, desk.measure(latest.counted_from, max(now, latest.counted_from)), now)
    return latest.model_copy(update={"progress": seen.progress})


def show_cooldown(desk: Desk) -> Cooldown | None:
    """Return the cooldown that runs now, or None."""
    now = desk.clock()
    with desk.store.reading() as unit:
        return unit.trials.cooldown(now)


def judge_validation(desk: Desk) -> Validation | None:
    """Judge the running validation, and demote when it fails; return it, or None without one.

    A failure goes back to the previous phase, one by a critical incident to L3.

    Raises:
        Unavailable: the database is busy or away; the next turn judges again.
    """
    with desk.store.reading() as unit:
        running = unit.trials.running()
    now = desk.clock()
    if running is None or now < running.counted_from:
        return running
    metrics = desk.measure(running.counted_from, now)
    if not _is_news(running, judged(running, metrics, now)):
        return running
    with desk.store.writing(lowers=True) as unit:
        present = unit.trials.running()
        if present is None or present.proposal_id != running.proposal_id:
            return None
        return _move(desk, unit, present, judged(present, metrics, now), by=SYSTEM, now=now)


def conclude_validation(desk: Desk, *, keep: bool, reason: str, by: str) -> Validation:
    """End a validation that the numbers could not decide; people only.

    Keeping the phase is possible only when the validation is inconclusive: before, its numbers
    decide. Giving the phase up is always possible.

    Raises:
        NotFound: no validation is running.
        Refused: the numbers still decide.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing(lowers=not keep) as unit:
        running = unit.trials.running()
        if running is None:
            raise NotFound("running validation", "latest")
        if keep and running.status is not ValidationStatus.INCONCLUSIVE:
            raise Refused(
                f"the validation of {running.phase} is {running.status}",
                allowed_when="people decide when it is inconclusive at its end",
            )
        status = ValidationStatus.SUCCESSFUL if keep else ValidationStatus.FAILED
        ended = running.ended(status, now, reason)
        return _move(desk, unit, running, ended, by=by, now=now)


def _is_news(before: Validation, after: Validation) -> bool:
    """Whether anything but the progress changed."""
    apart = {"progress"}
    return before.model_dump(exclude=apart) != after.model_dump(exclude=apart)


def _move(
    desk: Desk, unit: Unit, before: Validation, after: Validation, *, by: str, now: datetime
) -> Validation:
    """Write how a validation moved, tell subscribers, and demote if it failed."""
    unit.trials.save(after)
    unit.audit.append(
        _act(after),
        after.proposal_id,
        actor=by,
        at=now,
        before=before.to_wire(),
        after=after.to_wire(),
    )
    epoch = unit.autonomy.load().epoch
    publish_alert(unit, ladder_alerts.validation_changed(after, epoch=epoch, at=now), now)
    if after.status is ValidationStatus.FAILED:
        _demote(desk, unit, after, by=by, now=now)
    return after


def _act(validation: Validation) -> Act:
    """Return which act the audit log names."""
    if validation.ended_at is not None:
        return Act.VALIDATION_ENDED
    undecided = validation.status is ValidationStatus.INCONCLUSIVE
    return Act.VALIDATION_UNDECIDED if undecided else Act.VALIDATION_EXTENDED


def _demote(desk: Desk, unit: Unit, failed: Validation, *, by: str, now: datetime) -> None:
    """Give the phase up that failed its validation, unless it was lost already."""
    before = present_autonomy(desk, unit, now)
    critical = failed.severity is Severity.CRITICAL
    target = Phase.L3 if critical else failed.previous_phase
    if before.phase.rank <= target.rank:
        return
    held = unit.autonomy.last_whitelist(target)
    after = phases.rolled_back(before, target, whitelist=held, now=now)
    cause = Cause(
        Act.PHASE_DEMOTED,
        actor=by,
        subject=failed.proposal_id,
        because=f"the validation of {failed.phase} failed: {failed.reason}",
        severity=failed.severity,
    )
    change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
