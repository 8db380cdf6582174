"""The state of the database against that on the ``state`` topic. Pure.

A record that the database never told was told by another one: by that which was lost, replaced or
restored since. Whatever it says counts as a restore counts it: no more is allowed than both allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from governance.kafka.published import Published
from schemas.governance import StateRecord

MOMENTS: Final = {"effective_from", "updated_at"}
"""What differs between two records of one state."""


@dataclass(frozen=True, slots=True)
class StateRepair:
    """What is to be done: ``foreign`` states to be reconciled with, or ours to be published."""

    foreign: tuple[StateRecord, ...] = ()
    publish: bool = False
    publish_epoch: bool = False

    def __bool__(self) -> bool:
        return bool(self.foreign or self.publish or self.publish_epoch)


def compare_state(
    state: StateRecord,
    published: Published,
    knows: Callable[[StateRecord], bool],
) -> StateRepair:
    """Return what puts the topic and the database right.

    *state* is ours as it would be published; *knows* tells whether our audit log ever told a
    record's state. An epoch above ours was always told by somebody else.
    """
    told = [published.state] if published.state else []
    told += [one for number, one in published.epochs.items() if number > state.autonomy_epoch]
    foreign = [
        record
        for record in told
        if record.autonomy_epoch > state.autonomy_epoch
        or not (same_state(record, state) or knows(record))
    ]
    if foreign:
        return StateRepair(foreign=tuple(foreign))
    return StateRepair(
        publish=published.state is None or not same_state(published.state, state),
        publish_epoch=state.autonomy_epoch not in published.epochs,
    )


def same_state(one: StateRecord, other: StateRecord) -> bool:
    """Whether two records tell the same state, whenever they were written."""
    return _content(one) == _content(other)


def _content(record: StateRecord) -> dict[str, object]:
    """Return what *record* says but for its moments; the others to the millisecond, as on Kafka."""
    return record.model_dump(mode="json", exclude=MOMENTS)
