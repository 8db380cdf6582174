"""Changelog records come back as they were written, and an older worker's stay readable."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tallies import WIDTH, Sample
from streams.deltas import (
    Generation,
    JudgeDelta,
    TallyDelta,
    decode_judge,
    decode_tally,
    encode,
    sparse,
)

LEAVES: Final[dict[object, st.SearchStrategy[Any]]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=5),
    bool: st.booleans(),
    NoneType: st.none(),
}


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Return all values that a field of this type may have."""
    if hint in LEAVES:
        return LEAVES[hint]
    inside = [anything(one) for one in get_args(hint)]
    match get_origin(hint):
        case origin if origin is UnionType:
            return st.one_of(inside)
        case origin if origin is list:
            return st.lists(inside[0], max_size=2)
        case origin if origin is tuple:
            return st.tuples(*inside)
        case origin if origin is dict:
            return st.dictionaries(inside[0], inside[1], max_size=2)
    hints = get_type_hints(hint)
    return st.builds(hint, **{name: anything(one) for name, one in hints.items()})


@given(delta=anything(TallyDelta))
def test_a_tallys_record_comes_back_as_it_was(delta: TallyDelta) -> None:
    """Nothing is lost or changed on the way, whatever the state was."""
    assert decode_tally(encode(delta)) == delta


@given(delta=anything(JudgeDelta))
def test_a_judges_record_comes_back_as_it_was(delta: JudgeDelta) -> None:
    """Nothing is lost or changed on the way, whatever the state was."""
    assert decode_judge(encode(delta)) == delta


WRITTEN: Final[list[Any]] = [
    7, 9, -1, 1_000, 900, 2,
    [["FAN", 1, [[4, 2]]], [None, 1, [[15, 1]]]],
    [["labels.site=zug", 1, [[4, 2]]]],
    [["*", [[0, 1, 8, "c1"]]]],
    [[3, 400, True, ["e1", "e2"], [["commandType", "FAN"]]]],
    {"High Error Rate": 2},
    {},
]  # fmt: skip
"""A tally's record as plain msgpack: the order of fields is the format."""


def test_the_format_is_the_one_that_is_stored_already() -> None:
    """A record that a worker wrote before an upgrade is read by the one after it."""
    delta = decode_tally(msgspec.msgpack.encode(WRITTEN))
    assert delta == TallyDelta(
        frm=7,
        pos=9,
        start=-1,
        clock=1_000,
        upto=900,
        events=2,
        rows=[("FAN", 1, [(4, 2)]), (None, 1, [(15, 1)])],
        label_rows=[("labels.site=zug", 1, [(4, 2)])],
        samples=[("*", [Sample(0, 1, 8, "c1")])],
        generations=[Generation(3, 400, True, ["e1", "e2"], [("commandType", "FAN")])],
        adopted={"High Error Rate": 2},
        late={},
    )
    assert msgspec.msgpack.decode(encode(delta)) == WRITTEN


@pytest.mark.parametrize("value", [b"", b"\xc1", msgspec.msgpack.encode([1, 2, 3])])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    """A damaged changelog is never taken for a state."""
    with pytest.raises(msgspec.DecodeError):
        decode_tally(value)
    with pytest.raises(msgspec.DecodeError):
        decode_judge(value)


@given(row=st.lists(st.integers(0, 3), min_size=WIDTH, max_size=WIDTH))
def test_zeros_are_left_out(row: list[int]) -> None:
    """A sparse row names each column that holds something, in order, and no other."""
    assert dict(sparse(row)) == {column: number for column, number in enumerate(row) if number}
    assert sparse(row) == sorted(sparse(row))
