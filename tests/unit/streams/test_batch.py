"""Batches, whole and in pieces."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.batch import Batch, Gap
from tests.unit.streams.facts import batch

VALUES = st.lists(st.none() | st.binary(max_size=9), max_size=30)


@given(values=VALUES, size=st.integers(1, 40))
def test_pieces_are_the_batch(values: list[bytes | None], size: int) -> None:
    """Every record is in one piece, in order, with its offset, time and key."""
    whole = batch(values, times=list(range(len(values))), start=7, partition=3)
    pieces = [piece for piece, _ in whole.pieces(size)]
    for column in ("offsets", "times", "values", "keys"):
        joined = chain.from_iterable(getattr(piece, column) for piece in pieces)
        assert list(joined) == list(getattr(whole, column))
    assert {piece.partition for piece in pieces} == {3}


@given(
    offsets=st.sets(st.integers(5, 90), min_size=1), size=st.integers(1, 40), more=st.integers(0, 9)
)
def test_pieces_cover_what_the_batch_covers(offsets: set[int], size: int, more: int) -> None:
    """Each begins where the one before it ends, however far apart its records are."""
    values = [bytes(9)] * len(offsets)
    covers = (min(offsets) - more, max(offsets) + 1 + more)
    sparse = replace(batch(values), offsets=sorted(offsets), covers=covers)
    pieces = [piece for piece, _ in sparse.pieces(size)]
    assert (pieces[0].start, pieces[-1].end) == (sparse.start, sparse.end)
    assert all(one.end == after.start for one, after in pairwise(pieces))
    assert all(piece.start <= piece.offsets[0] <= piece.offsets[-1] < piece.end for piece in pieces)


@given(values=VALUES, size=st.integers(1, 40))
def test_a_piece_is_as_small_as_its_records_allow(values: list[bytes | None], size: int) -> None:
    """Without its last record it is below the size that was asked for; its bytes are said."""
    for piece, said in batch(values).pieces(size):
        lengths = [len(value or b"") for value in piece.values]
        assert said == sum(lengths)
        assert sum(lengths[:-1]) < size or said <= size


def test_a_small_batch_stays_whole() -> None:
    """It is handed on as it is."""
    whole: Batch = batch([b"a", None])
    assert [piece is whole for piece, _ in whole.pieces(1)] == [True]


def test_a_gap_says_where_it_is() -> None:
    """The log of a worker that leaves names both ends."""
    assert str(Gap(3, 9)) == "the state ends at 3, what came starts at 9"
