"""The checklist, what people attested, and the assessments that were made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.engine import RowMapping

from governance.checklist import Attestation, ChecklistItem
from governance.readiness import Assessment, ScoreMark
from governance.store.ladder_tables import attestations, checklist_items
from governance.store.moments import read_moment
from governance.store.tables import readiness_assessments
from schemas.wire import iso


class ReadinessShelf:
    """Loads and saves them; an attestation is only ever added, and so is an assessment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def checklist(self) -> list[ChecklistItem]:
        """Return the items in their order; none before the first start."""
        wanted = select(checklist_items).order_by(checklist_items.c.position)
        return [_item(row) for row in self._connection.execute(wanted).mappings()]

    def create(self, items: Sequence[ChecklistItem], now: datetime) -> None:
        """Write the first checklist."""
        rows = [
            {**item.model_dump(mode="json"), "kind": item.kind.value, "position": position}
            for position, item in enumerate(items)
        ]
        for row in rows:
            row.update(required=int(row["required"]), updated_at=iso(now), updated_by=None)
        self._connection.execute(insert(checklist_items), rows)

    def put_item_back(self, name: str, told: ChecklistItem | None) -> None:
        """Make an item what *told* says, at the end if it is gone; None for what never was one."""
        here = checklist_items.c.name == name
        if told is None:
            self._connection.execute(delete(checklist_items).where(here))
            return
        changed = told.updated_at
        row = {
            **told.model_dump(mode="json"),
            "kind": told.kind.value,
            "required": int(told.required),
            "updated_at": iso(changed) if changed else None,
        }
        if not self._connection.execute(update(checklist_items).where(here).values(row)).rowcount:
            last = select(func.coalesce(func.max(checklist_items.c.position), 0) + 1)
            position = self._connection.execute(last).scalar_one()
            self._connection.execute(insert(checklist_items).values({**row, "position": position}))

    def save_item(self, item: ChecklistItem) -> None:
        """Write what people may change of an item."""
        changed = item.updated_at
        self._connection.execute(
            update(checklist_items)
            .where(checklist_items.c.name == item.name)
            .values(
                weight=item.weight,
                required=int(item.required),
                max_age_days=item.max_age_days,
                updated_at=iso(changed) if changed else None,
                updated_by=item.updated_by,
            )
        )

    def attest(self, attestation: Attestation) -> None:
        """Add an attestation; from now on it is the newest of its item."""
        row = attestation.model_dump(mode="json")
        self._connection.execute(insert(attestations), {**row, "met": int(attestation.met)})

    def newest_attestations(self) -> dict[str, Attestation]:
        """Return the newest attestation of each item that has one, by the item's name."""
        newest = select(func.max(attestations.c.seq)).group_by(attestations.c.item)
        wanted = select(attestations).where(attestations.c.seq.in_(newest))
        found = [_attestation(row) for row in self._connection.execute(wanted).mappings()]
        return {attestation.item: attestation for attestation in found}

    def save(self, assessment: Assessment) -> None:
        """Add an assessment."""
        self._connection.execute(
            insert(readiness_assessments).values(
                timestamp=iso(assessment.timestamp),
                assessment=assessment.model_dump_json(by_alias=True),
                score=assessment.overall.score,
            )
        )

    def latest(self, *, until: datetime | None = None) -> Assessment | None:
        """Return the last assessment, or the last at or before *until*; None if there is none."""
        return next(self.newest_first(until=until), None)

    def first_since(self, since: datetime) -> Assessment | None:
        """Return the first assessment at or after *since*, or None if there is none."""
        table = readiness_assessments.c
        wanted = (
            select(table.assessment)
            .where(table.timestamp >= iso(since))
            .order_by(table.timestamp, table.id)
        )
        return next(self._read(wanted), None)

    def newest_first(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Assessment]:
        """Return the assessments in ``[since, until]``, newest first, read as they are asked for.

        A row that an operator's SQL made unreadable is passed over.
        """
        table = readiness_assessments.c
        wanted = select(table.assessment).order_by(table.timestamp.desc(), table.id.desc())
        if since is not None:
            wanted = wanted.where(table.timestamp >= iso(since))
        if until is not None:
            wanted = wanted.where(table.timestamp <= iso(until))
        return self._read(wanted)

    def scores(self, start: datetime, end: datetime, *, limit: int) -> list[ScoreMark]:
        """Return the newest *limit* scores that were kept in ``[start, end)``, oldest first."""
        table = readiness_assessments.c
        wanted = (
            select(table.timestamp, table.score)
            .where(
                table.timestamp >= iso(start),
                table.timestamp < iso(end),
                table.score.is_not(None),
            )
            .order_by(table.timestamp.desc(), table.id.desc())
            .limit(limit)
        )
        found = self._connection.execute(wanted).all()
        return [ScoreMark(timestamp=read_moment(at), score=score) for at, score in reversed(found)]

    def _read(self, wanted: Select[tuple[str]]) -> Iterator[Assessment]:
        """Return the assessments that can be read among *wanted*, a few in memory at a time."""
        with self._connection.execute(wanted, execution_options={"yield_per": 20}) as streamed:
            for row in streamed:
                try:
                    yield Assessment.model_validate_json(row.assessment)
                except ValidationError:
                    continue


def _item(row: RowMapping) -> ChecklistItem:
    """Return a stored item."""
    changed = row["updated_at"]
    return ChecklistItem.model_validate(
        {**row, "required": bool(row["required"]), "updated_at": changed and read_moment(changed)}
    )


def _attestation(row: RowMapping) -> Attestation:
    """Return a stored attestation."""
    fields: Mapping[str, Any] = {
        **row,
        "met": bool(row["met"]),
        "attested_at": read_moment(row["attested_at"]),
        "expires_at": row["expires_at"] and read_moment(row["expires_at"]),
    }
    return Attestation.model_validate(fields)
