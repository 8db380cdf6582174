"""Rates are taken where a process is warm, and on the basis that they name."""

from __future__ import annotations

from bench.progress import samples
from bench.samples import Sample, at, middle


def test_a_rate_leaves_the_first_and_the_last_tenth_out() -> None:
    """A slow start and a slow end do not show in a rate."""
    looks = [Sample(0, 0, 0), Sample(100, 50, 90), Sample(900, 58, 106), Sample(1_000, 80, 190)]

    rate = middle(looks)

    assert (rate.events, rate.cpu, rate.wall) == (800, 8, 16)
    assert (rate.per_core, rate.per_second) == (100, 50)


def test_between_two_looks_a_process_is_on_the_line_between_them() -> None:
    """Looks that come rarely cost precision but no bias."""
    looks = [Sample(0, 0, 10), Sample(400, 4, 18)]

    assert at(looks, 100) == Sample(100, 1, 12)


def test_looks_without_progress_are_waited_out() -> None:
    """Time that passed before the first event is the first event's."""
    looks = [Sample(0, 0, 0), Sample(0, 3, 5), Sample(100, 4, 6)]

    assert at(looks, 50) == Sample(50, 3.5, 5.5)


def test_a_process_says_how_far_it_is_among_whatever_else_it_prints() -> None:
    """A framework's spinner on the same output does no harm."""
    printed = ["\x1b[?25l\n", " 0 0.5 7.0\n", "\x08\x1b[?25h\n", " 100 1.5 8.0\n"]

    assert samples(printed) == [Sample(0, 0.5, 7.0), Sample(100, 1.5, 8.0)]
