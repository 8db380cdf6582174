"""What moved readiness between two assessments: which item, by how many points, when and why.

The points of all changes add up to the difference of the two scores, in points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from governance.checklist import Category, ChecklistItem, Kind
from governance.readiness import Assessment, CheckedItem
from schemas.wire import Moment, Wire


class Aspect(StrEnum):
    """What of an item may change."""

    STATUS = "status"
    WEIGHT = "weight"
    REQUIRED = "required"


class ItemChange(Wire):
    """One thing that changed: ``points`` is what it added to the score, ``at`` since when."""

    name: str
    category: Category
    aspect: Aspect
    before: bool | int
    after: bool | int
    points: int
    at: Moment
    why: str
    by: str | None = None


class Mark(Wire):
    """One end of a comparison."""

    timestamp: Moment
    score: float
    ready: bool
    points: int
    max_points: int


class ReadinessDiff(Wire):
    """``GET /api/readiness/diff``; the changes are in the order in which they happened."""

    since: Moment
    before: Mark
    after: Mark
    score_change: float
    changes: list[ItemChange]
    blockers_added: list[str]
    blockers_removed: list[str]


class Pair(NamedTuple):
    """An item as it was and as it is, and the row that people edit."""

    category: Category
    before: CheckedItem
    after: CheckedItem
    row: ChecklistItem | None


ASPECTS: Final = tuple(Aspect)


def has_moved(before: Assessment, after: Assessment) -> bool:
    """Whether anything but the numbers behind the items changed."""
    return _verdicts(before) != _verdicts(after)


def difference(
    since: datetime,
    before: Assessment,
    after: Assessment,
    *,
    between: Iterable[Assessment],
    checklist: Mapping[str, ChecklistItem],
) -> ReadinessDiff:
    """Return what changed from *before* to *after*.

    *between* are the assessments from *before* to *after*, newest first; it is read only as far
    back as the oldest change. *checklist* holds the items as they are now, by name.
    """
    pairs = _pairs(before, after, checklist)
    found = {
        (key, aspect): pair
        for key, pair in pairs.items()
        for aspect in ASPECTS
        if _moved(pair, aspect)
    }
    seen = _first_seen(found, after.timestamp, between)
    changes = [
        _change(pair, aspect, seen=seen[key, aspect], since=before.timestamp, now=after.timestamp)
        for (key, aspect), pair in found.items()
    ]
    old, new = before.overall.blockers, after.overall.blockers
    return ReadinessDiff(
        since=since,
        before=_mark(before),
        after=_mark(after),
        score_change=after.overall.score - before.overall.score,
        changes=sorted(changes, key=lambda change: change.at),
        blockers_added=[name for name in new if name not in old],
        blockers_removed=[name for name in old if name not in new],
    )


def _verdicts(assessment: Assessment) -> tuple[object, ...]:
    """Return what an assessment says, without the numbers behind it."""
    items = [(item.name, item.weight, item.required, item.status) for item in assessment.items]
    return assessment.current_phase, assessment.overall.blockers, items


def _key(item: CheckedItem) -> str:
    """Return what an item is known by at every phase."""
    return item.check or item.name


def _pairs(
    before: Assessment, after: Assessment, checklist: Mapping[str, ChecklistItem]
) -> dict[str, Pair]:
    """Return the items that both assessments have."""
    old = {_key(item): item for item in before.items}
    rows = {row.check or row.name: row for row in checklist.values()}
    return {
        _key(item): Pair(category, old[_key(item)], item, rows.get(_key(item)))
        for category, part in after.categories.items()
        for item in part.items
        if _key(item) in old
    }


def _moved(pair: Pair, aspect: Aspect) -> bool:
    """Whether *aspect* of an item changed."""
    return bool(_value(pair.before, aspect) != _value(pair.after, aspect))


def _value(item: CheckedItem, aspect: Aspect) -> bool | int:
    """Return *aspect* of *item*."""
    match aspect:
        case Aspect.STATUS:
            return item.status
        case Aspect.WEIGHT:
            return item.weight
        case Aspect.REQUIRED:
            return item.required


def _first_seen(
    found: Mapping[tuple[str, Aspect], Pair], now: datetime, between: Iterable[Assessment]
) -> dict[tuple[str, Aspect], datetime]:
    """Return since when each change has stood, by the assessments before *now*."""
    seen = dict.fromkeys(found, now)
    pending = set(found)
    for assessment in between:
        if not pending:
            break
        items = {_key(item): item for item in assessment.items}
        for key, aspect in tuple(pending):
            item = items.get(key)
            if item and _value(item, aspect) == _value(found[key, aspect].after, aspect):
                seen[key, aspect] = assessment.timestamp
            else:
                pending.discard((key, aspect))
    return seen


def _change(
    pair: Pair, aspect: Aspect, *, seen: datetime, since: datetime, now: datetime
) -> ItemChange:
    """Return one change; people's own moments are truer than when it was first seen."""
    by, moments = _people(pair, aspect)
    known = [moment for moment in moments if since < moment <= now]
    return ItemChange(
        name=pair.after.name,
        category=pair.category,
        aspect=aspect,
        before=_value(pair.before, aspect),
        after=_value(pair.after, aspect),
        points=_points(pair, aspect),
        at=max(known, default=seen),
        why=_why(pair, aspect),
        by=by if known else None,
    )


def _people(pair: Pair, aspect: Aspect) -> tuple[str | None, Iterator[datetime]]:
    """Return who may have made a change, and the moments at which they may have."""
    if aspect is not Aspect.STATUS:
        row = pair.row
        moments = [row.updated_at] if row else []
        return (row.updated_by if row else None), (moment for moment in moments if moment)
    item = pair.after
    moments = [item.attested_at, item.expires_at] if item.kind is Kind.ATTESTED else []
    return item.attested_by, (moment for moment in moments if moment)


def _points(pair: Pair, aspect: Aspect) -> int:
    """Return what a change added: first the status at the old weight, then the new weight."""
    before, after = pair.before, pair.after
    match aspect:
        case Aspect.STATUS:
            return (after.status - before.status) * before.weight
        case Aspect.WEIGHT:
            return after.status * (after.weight - before.weight)
        case Aspect.REQUIRED:
            return 0


def _why(pair: Pair, aspect: Aspect) -> str:
    """Return the reason of a change, for people."""
    if aspect is not Aspect.STATUS:
        return f"the checklist was changed: {aspect} of this item"
    after = pair.after
    if after.kind is Kind.AUTOMATIC:
        return f"{pair.before.details} → {after.details}"
    return f"{after.details}: {after.note}" if after.note else str(after.details)


def _mark(assessment: Assessment) -> Mark:
    """Return one end of a comparison."""
    whole = assessment.overall
    return Mark(
        timestamp=assessment.timestamp,
        score=whole.score,
        ready=whole.ready,
        points=whole.points,
        max_points=whole.max_points,
    )
