"""What a flush writes to the changelogs: everything that changed since the flush before it.

One record, so that the stored state is always the state at exactly one position, never a mixture
of rows from several. Messages are msgpack arrays; the order of fields is the format.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.tallies import Sample

Sparse = list[tuple[int, int]]
"""``(column, number)`` pairs of a row of counts, zeros left out."""


FROM_THE_BEGINNING: Final = -1
"""A start hint that says: nothing is known, read the whole partition."""


class Generation(msgspec.Struct, array_like=True, frozen=True):
    """Ids and scope values that were new in one generation, which began at clock ``start``.

    ``whole`` says that the generation began in this record: nothing of it came earlier.
    """

    number: int
    start: int | None
    whole: bool
    ids: list[str]
    values: list[tuple[str, str]]


class TallyDelta(msgspec.Struct, array_like=True, frozen=True):
    """The tally of one source partition after ``[frm, pos)``.

    All fields but ``generations`` are the whole state at ``pos``; generations hold what was
    remembered since ``frm``. Reading may begin at changelog offset ``start`` (a hint).
    """

    frm: int
    pos: int
    start: int
    clock: int
    upto: int | None
    events: int
    rows: list[tuple[str | None, int, Sparse]]
    label_rows: list[tuple[str, int, Sparse]]
    samples: list[tuple[str, list[Sample]]]
    generations: list[Generation]
    adopted: dict[str, int]
    late: dict[str, int]


class StoredBreaker(msgspec.Struct, array_like=True, frozen=True):
    """A breaker that is not closed, or that people resolved lately, by the name of its rule."""

    rule: str
    position: str
    since: int
    breaching_since: int | None
    progress: int
    action_id: str | None
    opened_at: int | None
    recovered_since: int | None
    latched: bool
    action: str | None = None


class StoredBaseline(msgspec.Struct, array_like=True, frozen=True):
    """What a scope held when people resolved the breaker of ``rule``: a mark per ring."""

    rule: str
    at: int
    marks: list[tuple[int, list[tuple[int, Sparse]]]]


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """A bad event kept as evidence; ``step`` is the T at which it was applied."""

    step: int
    partition: int
    offset: int
    pane: int
    id: str


class Unit(msgspec.Struct, array_like=True, frozen=True):
    """What changed in one scope; all of it if ``full``. Panes are absolute, per ring.

    ``samples`` None means that they are as they were.
    """

    key: str
    full: bool
    touched: int
    panes: list[list[tuple[int, Sparse]]]
    breakers: list[StoredBreaker]
    baselines: list[StoredBaseline]
    samples: list[list[Kept]] | None


class Trail(msgspec.Struct, array_like=True, frozen=True):
    """New marks of one source partition's offset index, per ring; all of them if ``full``.

    ``offset`` is that of the first record after the last applied cut.
    """

    partition: int
    full: bool
    offset: int
    marks: list[list[tuple[int, int]]]


class JudgeDelta(msgspec.Struct, array_like=True, frozen=True):
    """The judge of one tallies partition after everything up to ``pos`` (T, ms) was judged.

    ``resume`` is the offset from which tallies are read again, ``applied`` the last applied
    cut of each source partition, ``late`` the rules that took effect after their time,
    ``total`` how many scopes there are, so that a reader knows when it has them all. ``sources``
    is how many source partitions ``tallies`` had named, ``joins`` from which T on a new one
    counts, while that lies ahead, and ``homes`` over how many judges the scopes are shared out.
    """

    frm: int
    pos: int
    start: int
    resume: int
    first: int | None
    applied: dict[int, int]
    adopted: dict[str, int]
    late: dict[str, int]
    units: list[Unit]
    trails: list[Trail]
    dropped: list[str]
    total: int
    sources: int | None = None
    joins: dict[int, int] = {}
    homes: int | None = None


_encode: Final = msgspec.msgpack.Encoder().encode
_tally: Final = msgspec.msgpack.Decoder(TallyDelta)
_judge: Final = msgspec.msgpack.Decoder(JudgeDelta)


def encode(delta: TallyDelta | JudgeDelta) -> bytes:
    """Return the bytes of a changelog record."""
    return _encode(delta)


def decode_tally(value: bytes) -> TallyDelta:
    """Return what `encode` made of a tally's delta."""
    return _tally.decode(value)


def decode_judge(value: bytes) -> JudgeDelta:
    """Return what `encode` made of a judge's delta."""
    return _judge.decode(value)


def sparse(row: Iterable[int]) -> Sparse:
    """Return a row of counts without its zeros."""
    return [(column, number) for column, number in enumerate(row) if number]
