"""The readiness checklist: what must hold before autonomy rises, and who says that it does.

    measured by us:   the stream, the rules, the audit chain ──┐
                                                               ├──► is the item met?
    attested by people: evidence, who, when, until when ───────┘

An attestation wears out: after its own expiry or the item's greatest age, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import ConfigDict, Field

from schemas.errors import NotFound
from schemas.faults import WEB_ADDRESS
from schemas.governance import Phase
from schemas.wire import MAX_PROSE, CleanText, Moment, Wire


class Category(StrEnum):
    """The three parts of the checklist, in the order in which people read them."""

    TECHNICAL = "technical"
    PROCESS = "process"
    ORGANIZATIONAL = "organizational"


class Kind(StrEnum):
    """Who says whether an item is met."""

    AUTOMATIC = "automatic"
    ATTESTED = "attested"


class Measured(StrEnum):
    """What the service measures by itself."""

    MONTHS_AT_PHASE = "months_at_phase"
    SUCCESS_RATE = "success_rate"
    APPROVAL_RATE = "approval_rate"
    ROLLBACK_RATE = "rollback_rate"
    CRITICAL_INCIDENTS = "critical_incidents"
    BREAKERS = "breakers"
    MONITORING = "monitoring"
    AUDIT_CHAIN = "audit_chain"


class Source(StrEnum):
    """Where an attestation came from."""

    ENVIRONMENT = "environment"
    PERSON = "person"


class ChecklistItem(Wire):
    """One item; ``weight`` is in points, ``max_age_days`` how long an attestation counts.

    ``check`` is set on what is measured, ``flag`` (an environment variable) on some of the rest.
    """

    name: str
    category: Category
    weight: int
    required: bool
    check: Measured | None = None
    flag: str | None = None
    max_age_days: int | None = None
    updated_at: Moment | None = None
    updated_by: str | None = None

    @property
    def kind(self) -> Kind:
        """Return who says whether it is met."""
        return Kind.ATTESTED if self.check is None else Kind.AUTOMATIC

    def title(self, phase: Phase) -> str:
        """Return the name as it reads at *phase*: time is counted at the present one."""
        if self.check is Measured.MONTHS_AT_PHASE:
            return self.name.removesuffix(Phase.L3) + phase
        return self.name


Item = TypeVar("Item", bound=ChecklistItem)


class Attestation(Wire):
    """Somebody's word that an item is met, or that it is not, with where that can be seen."""

    item: str
    met: bool
    evidence_url: str | None = None
    note: str | None = None
    source: Source
    attested_by: str
    attested_at: Moment
    expires_at: Moment | None = None


class ItemPatch(Wire):
    """What people may change of an item; fields that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    weight: Annotated[int, Field(ge=0, le=100, strict=True)] = 0
    required: Annotated[bool, Field(strict=True)] = False
    max_age_days: Annotated[int, Field(ge=1, le=3_650, strict=True)] | None = None

    def applied_to(self, item: ChecklistItem) -> ChecklistItem:
        """Return *item* with the fields that were sent."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        return item.model_copy(update=sent)


class NewAttestation(Wire):
    """What people say of an item: that it is met takes evidence; its expiry may be sooner."""

    model_config = ConfigDict(extra="forbid")

    met: Annotated[bool, Field(strict=True)] = True
    evidence_url: Annotated[str, Field(pattern=WEB_ADDRESS, max_length=2_048)] | None = None
    note: Annotated[CleanText, Field(max_length=MAX_PROSE)] | None = None
    expires_at: Moment | None = None


class ChecklistEntry(ChecklistItem):
    """An item as people edit it, whether it is met, and who said so last."""

    status: bool
    details: str
    attestation: Attestation | None = None


def expiry(item: ChecklistItem, attestation: Attestation) -> datetime | None:
    """Return from when *attestation* no longer counts for *item*, or None for never."""
    ends = [] if attestation.expires_at is None else [attestation.expires_at]
    if item.max_age_days is not None:
        ends.append(attestation.attested_at + timedelta(days=item.max_age_days))
    return min(ends, default=None)


def find_item(items: Sequence[Item], name: str) -> Item:
    """Return the item of that *name*, as it is kept or as it reads at any phase.

    Raises:
        NotFound: there is none; carries near matches.
    """
    for item in items:
        if name == item.name or name in {item.title(phase) for phase in Phase}:
            return item
    raise NotFound("checklist item", name, [item.name for item in items])


@cache
def default_checklist() -> tuple[ChecklistItem, ...]:
    """Return the items that a new installation starts with, in the order of the file."""
    text = files("governance").joinpath("checklist.yaml").read_text(encoding="utf-8")
    rows: dict[str, list[dict[str, Any]]] = yaml.safe_load(text)
    return tuple(
        ChecklistItem.model_validate({"category": category, **row})
        for category in Category
        for row in rows[category]
    )


ENOUGH_COVERAGE: Final = 0.9
"""The share that ``EVAL_COVERAGE`` must exceed; the other flags are true or false."""

YES: Final = frozenset({"1", "true", "yes", "on"})


def read_flag(value: str) -> bool:
    """Return whether the *value* of a flag says that its item is met; what is unreadable is not.

    A number is a share or a percentage, and must exceed nine tenths.

    >>> [read_flag(value) for value in ("true", "0.93", "93%", "90", "1", "no", "?")]
    [True, True, True, False, True, False, False]
    """
    said = value.strip().lower()
    if said in YES:
        return True
    try:
        number = float(said.removesuffix("%"))
    except ValueError:
        return False
    share = number if number <= 1 else number / 100
    return ENOUGH_COVERAGE < share <= 1
