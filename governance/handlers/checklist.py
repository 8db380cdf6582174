"""The checklist: read, its weights changed, and its items attested; each with an audit row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from governance.audit import Act
from governance.checklist import (
    Attestation,
    ChecklistEntry,
    ChecklistItem,
    ItemPatch,
    Kind,
    NewAttestation,
    Source,
    find_item,
)
from governance.desk import Desk
from governance.handlers.readiness import assessed_now
from governance.store import Unit
from schemas.errors import BadRequest, Refused

LONGEST: Final = timedelta(days=3_650)
"""How far ahead an attestation may expire; further is a mistyped year."""


def list_checklist(desk: Desk) -> list[ChecklistEntry]:
    """Return every item in its order, as it stands now.

    Raises:
        Unavailable: the database does not answer.
    """
    statuses = {item.check or item.name: item for item in assessed_now(desk).items}
    with desk.store.reading() as unit:
        items, newest = unit.readiness.checklist(), unit.readiness.newest_attestations()
    return [
        ChecklistEntry(
            **item.model_dump(),
            status=statuses[item.check or item.name].status,
            details=statuses[item.check or item.name].details or "",
            attestation=newest.get(item.name),
        )
        for item in items
    ]


def show_item(desk: Desk, name: str) -> ChecklistEntry:
    """Return one item as it stands now.

    Raises:
        NotFound: there is none; carries near matches.
        Unavailable: the database does not answer.
    """
    return find_item(list_checklist(desk), name)


def patch_item(desk: Desk, name: str, patch: ItemPatch, *, by: str) -> ChecklistEntry:
    """Change what *patch* names of an item; a patch that changes nothing leaves no trace.

    Raises:
        NotFound: there is none; carries near matches.
        BadRequest: what is measured has no greatest age.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        before = find_item(unit.readiness.checklist(), name)
        after = patch.applied_to(before)
        if after.kind is Kind.AUTOMATIC and after.max_age_days is not None:
            raise BadRequest("what is measured does not expire", field="maxAgeDays")
        if after != before:
            _save(unit, before, after, by=by, now=now)
    return show_item(desk, before.name)


def attest_item(desk: Desk, name: str, said: NewAttestation, *, by: str) -> ChecklistEntry:
    """Write down what somebody says of an item, as of now; the newest word counts.

    Raises:
        NotFound: there is none; carries near matches.
        Refused: the item is measured, and nobody's word changes that.
        BadRequest: it is said to be met without evidence, or until a moment that cannot be meant.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    _check(said, now)
    with desk.store.writing() as unit:
        item = find_item(unit.readiness.checklist(), name)
        if item.kind is Kind.AUTOMATIC:
            raise Refused(
                f"{item.name!r} is measured", allowed_when="only what is attested takes evidence"
            )
        _attest(unit, item, said, by=by, now=now)
    return show_item(desk, item.name)


def _check(said: NewAttestation, now: datetime) -> None:
    """Refuse what cannot be meant.

    Raises:
        BadRequest: names the field.
    """
    if said.met and said.evidence_url is None:
        raise BadRequest("that an item is met takes evidence", field="evidenceUrl")
    if said.expires_at is not None and not now < said.expires_at <= now + LONGEST:
        raise BadRequest("an expiry lies ahead, ten years at most", field="expiresAt")


def _save(
    unit: Unit, before: ChecklistItem, after: ChecklistItem, *, by: str, now: datetime
) -> None:
    """Save a changed item with its audit row."""
    after = after.model_copy(update={"updated_at": now, "updated_by": by})
    unit.readiness.save_item(after)
    unit.audit.append(
        Act.CHECKLIST_CHANGED,
        after.name,
        actor=by,
        at=now,
        before=before.to_wire(),
        after=after.to_wire(),
    )


def _attest(
    unit: Unit, item: ChecklistItem, said: NewAttestation, *, by: str, now: datetime
) -> None:
    """Save what was said of *item*, with its audit row and what was said before."""
    before = unit.readiness.newest_attestations().get(item.name)
    after = Attestation(
        item=item.name,
        met=said.met,
        evidence_url=said.evidence_url,
        note=said.note,
        source=Source.PERSON,
        attested_by=by,
        attested_at=now,
        expires_at=said.expires_at,
    )
    unit.readiness.attest(after)
    unit.audit.append(
        Act.READINESS_ATTESTED,
        item.name,
        actor=by,
        at=now,
        before=before.to_wire() if before else None,
        after=after.to_wire(),
    )
