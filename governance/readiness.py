"""Readiness: how much of the checklist is met, what blocks a rise, and what to do next.

score = points of the items that are met / points of all items

ready  ≥ 0.95, every required item met, no breaker event unresolved, and no cooldown running
almost ≥ 0.90
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from governance.checklist import (
    Attestation,
    Category,
    ChecklistItem,
    Kind,
    Measured,
    Source,
    expiry,
)
from governance.measured import Facts, Status, measure
from schemas.governance import Phase
from schemas.wire import Moment, Wire, iso

READY_PERCENT: Final = 95
ALMOST_PERCENT: Final = 90
THRESHOLD: Final = READY_PERCENT / 100
"""The score from which a phase may be left for the next."""

NO_UNRESOLVED: Final = "No unresolved circuit breaker events"
NO_COOLDOWN: Final = "No cooldown after a lost phase"
"""The blockers that are no items of the checklist."""


class Band(StrEnum):
    """What a score says by itself, whatever blocks."""

    READY = "ready"
    ALMOST = "almost"
    INVESTIGATE = "investigate"


class CheckedItem(Wire):
    """An item as it was found; the fields of an attestation are those of the newest one."""

    name: str
    weight: int
    required: bool
    status: bool
    details: str | None = None
    kind: Kind = Kind.ATTESTED
    check: Measured | None = None
    evidence_url: str | None = None
    note: str | None = None
    source: Source | None = None
    attested_by: str | None = None
    attested_at: Moment | None = None
    expires_at: Moment | None = None

    @property
    def points(self) -> int:
        """Return what the item adds to the score."""
        return self.weight if self.status else 0


class CategoryScore(Wire):
    """One part of the checklist, in points."""

    score: int
    max_score: int
    items: list[CheckedItem]


SHOWN_BLOCKERS: Final = 3
"""Blockers that a sentence names; ``blockers`` has them all."""


class Overall(Wire):
    """The whole: ``score`` is 0..1, ``blockers`` name what keeps it from being ready."""

    score: float
    ready: bool
    blockers: list[str]
    band: Band
    points: int
    max_points: int

    @property
    def shown_score(self) -> str:
        """Return the score for people: a point of eighty is 1.25 %, and none is rounded off."""
        return f"{self.score:.2%}"

    @property
    def shown_blockers(self) -> str:
        """Return the first blockers and how many more there are; empty if there are none."""
        first, more = self.blockers[:SHOWN_BLOCKERS], len(self.blockers) - SHOWN_BLOCKERS
        return ", ".join(first) + (f" and {more} more" if more > 0 else "")


class Recommended(StrEnum):
    """What the state of things asks for."""

    EXPAND_SCOPE = "expand_scope"
    MAINTAIN = "maintain"
    ROLLBACK = "rollback"
    INVESTIGATE = "investigate"


class Priority(StrEnum):
    """How soon to do it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Recommendation(Wire):
    """One thing to decide, why, and how."""

    type: Recommended
    priority: Priority
    rationale: str
    actions: list[str]


class NextAction(Wire):
    """One thing to do; ``due_date`` where waiting costs points."""

    description: str
    completed: bool = False
    owner: str | None = None
    due_date: Moment | None = None


class Assessment(Wire):
    """``GET /api/readiness/current``."""

    timestamp: Moment
    current_phase: Phase
    days_since_phase_start: int
    overall: Overall
    technical: CategoryScore
    process: CategoryScore
    organizational: CategoryScore
    recommendations: list[Recommendation] = []
    next_actions: list[NextAction] = []

    @property
    def categories(self) -> dict[Category, CategoryScore]:
        """Return the three parts by name."""
        return {
            Category.TECHNICAL: self.technical,
            Category.PROCESS: self.process,
            Category.ORGANIZATIONAL: self.organizational,
        }

    @property
    def items(self) -> list[CheckedItem]:
        """Return all items, in the order of the checklist."""
        return [item for category in self.categories.values() for item in category.items]


class ScoreMark(Wire):
    """One score of the history."""

    timestamp: Moment
    score: float


def score(
    checklist: Sequence[ChecklistItem],
    newest: Mapping[str, Attestation],
    facts: Facts,
    now: datetime,
) -> Assessment:
    """Return the checklist as it stands at *now*, still without advice.

    ``newest`` holds the last attestation of each attested item, by the item's name.
    """
    parts = {category: _category(category, checklist, newest, facts, now) for category in Category}
    found = [item for part in parts.values() for item in part.items]
    return Assessment(
        timestamp=now,
        current_phase=facts.phase,
        days_since_phase_start=max(0, (now - facts.phase_start).days),
        overall=overall(
            found, unresolved=facts.unresolved, is_cooling=facts.cooldown_until is not None
        ),
        technical=parts[Category.TECHNICAL],
        process=parts[Category.PROCESS],
        organizational=parts[Category.ORGANIZATIONAL],
    )


def overall(items: Sequence[CheckedItem], *, unresolved: int, is_cooling: bool = False) -> Overall:
    """Return the score of *items*, and what blocks while *unresolved* events or a cooldown wait.

    A checklist that weighs nothing has the score 0: it says nothing.
    """
    points, most = sum(item.points for item in items), sum(item.weight for item in items)
    blockers = [item.name for item in items if item.required and not item.status]
    if unresolved:
        blockers.append(NO_UNRESOLVED)
    if is_cooling:
        blockers.append(NO_COOLDOWN)
    band = band_of(points, most)
    return Overall(
        score=points / most if most else 0.0,
        ready=band is Band.READY and not blockers,
        blockers=blockers,
        band=band,
        points=points,
        max_points=most,
    )


def band_of(points: int, most: int) -> Band:
    """Return what *points* of *most* say; whole numbers, so that 76 of 80 is exactly enough.

    >>> [band_of(points, 80).value for points in (76, 75, 72, 71)]
    ['ready', 'almost', 'almost', 'investigate']
    """
    if most and points * 100 >= most * READY_PERCENT:
        return Band.READY
    return Band.ALMOST if most and points * 100 >= most * ALMOST_PERCENT else Band.INVESTIGATE


def attested(item: ChecklistItem, attestation: Attestation | None, now: datetime) -> Status:
    """Return whether *attestation* says at *now* that *item* is met."""
    if attestation is None:
        return Status(False, "nobody attested it yet")
    by = f"by {attestation.attested_by} on {iso(attestation.attested_at)[:10]}"
    if not attestation.met:
        return Status(False, f"said not to be met {by}")
    ends = expiry(item, attestation)
    if ends is not None and ends <= now:
        return Status(False, f"attested {by}, expired on {iso(ends)[:10]}")
    return Status(True, f"attested {by}")


def _category(
    category: Category,
    checklist: Sequence[ChecklistItem],
    newest: Mapping[str, Attestation],
    facts: Facts,
    now: datetime,
) -> CategoryScore:
    """Return one part of the checklist."""
    items = [
        _checked(item, newest.get(item.name), facts, now)
        for item in checklist
        if item.category is category
    ]
    return CategoryScore(
        score=sum(item.points for item in items),
        max_score=sum(item.weight for item in items),
        items=items,
    )


def _checked(
    item: ChecklistItem, attestation: Attestation | None, facts: Facts, now: datetime
) -> CheckedItem:
    """Return one item as it is found."""
    if item.check is not None:
        met, details = measure(item.check, facts, now)
        attestation = None
    else:
        met, details = attested(item, attestation, now)
    return CheckedItem(
        name=item.title(facts.phase),
        weight=item.weight,
        required=item.required,
        status=met,
        details=details,
        kind=item.kind,
        check=item.check,
        **_evidence(item, attestation),
    )


def _evidence(item: ChecklistItem, attestation: Attestation | None) -> dict[str, object]:
    """Return the fields of an item that come from its attestation."""
    if attestation is None:
        return {}
    return {
        "evidence_url": attestation.evidence_url,
        "note": attestation.note,
        "source": attestation.source,
        "attested_by": attestation.attested_by,
        "attested_at": attestation.attested_at,
        "expires_at": expiry(item, attestation),
    }
