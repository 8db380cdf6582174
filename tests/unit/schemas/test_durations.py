"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.durations import (
    UNITS,
    check_duration,
    check_window,
    milliseconds,
    written,
)
from schemas.errors import RuleError


@given(number=st.integers(0, 10**9 - 1), unit=st.sampled_from(sorted(UNITS)))
def test_a_written_duration_is_its_number_of_units(number: int, unit: str) -> None:
    """Reading it gives exactly that many milliseconds."""
    assert milliseconds(f"{number}{unit}") == number * UNITS[unit]


@given(seconds=st.integers(0, 10**7))
def test_what_is_written_reads_back(seconds: int) -> None:
    """The largest unit that keeps it whole is used, and nothing is lost."""
    text = written(seconds * 1_000)
    assert milliseconds(text) == seconds * 1_000
    larger = [size for size in UNITS.values() if size > UNITS[text[-1]]]
    assert seconds == 0 or all(seconds * 1_000 % size for size in larger)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "-5m", "5.5m", "٥m", "5m5s", "1e3s", "5m\n", "1000000000s", "5ms"]
)
def test_anything_else_is_refused(text: str) -> None:
    """The error says how to write one."""
    with pytest.raises(RuleError, match="write a whole number and one of s, m, h, d"):
        milliseconds(text)
    with pytest.raises(ValueError, match="is not a duration"):
        check_duration(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10min", "10m"),
        ("5 seconds", "5s"),
        ("3H", "3h"),
        ("1h30m", "90m"),
        ("1d12h", "36h"),
        ("2h45m30s", "9930s"),
        ("1.5h", "90m"),
        ("1 h 30 min", "90m"),
        ("90 mins", "90m"),
        ("2w", "14d"),
        ("PT10M", "10m"),
        ("P1DT12H", "36h"),
        ("5000ms", "5s"),
        ("500ms", None),
        ("1500ms", None),
        ("1.0001s", None),
        ("10 mints", None),
        ("5m, or so", None),
        ("0ms", None),
        ("ten", None),
        ("-5m", None),
        ("٥m", None),
    ],
)
def test_a_miswritten_duration_is_guessed(text: str, meant: str | None) -> None:
    """What it means to the second is suggested, and never another length."""
    with pytest.raises(RuleError) as refused:
        milliseconds(text)
    assert refused.value.suggestion == meant


@pytest.mark.parametrize(
    ("text", "fits"),
    [("4s", False), ("5s", True), ("7d", True), ("168h", True), ("169h", False), ("0s", False)],
)
def test_a_window_is_from_five_seconds_to_a_week(text: str, fits: bool) -> None:
    """Both ends are inside."""
    if fits:
        assert check_window(text) == text
    else:
        with pytest.raises(ValueError, match="outside what a window may be: 5s to 7d"):
            check_window(text)
