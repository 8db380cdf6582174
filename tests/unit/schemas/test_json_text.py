"""JSON that readers refuse becomes JSON that they read, and nothing else changes."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.json_text import readable

ANY_TEXT = st.text(st.characters(codec=None, categories=None))


@given(text=ANY_TEXT)
def test_only_halves_are_replaced(text: str) -> None:
    """Each half of a pair becomes NUL; all other letters, pairs and backslashes stay."""
    halves = "".join("\0" if "\ud800" <= letter <= "\udfff" else letter for letter in _paired(text))
    assert json.loads(readable(json.dumps(text).encode())) == halves


def _paired(text: str) -> str:
    """Return *text* with the halves joined that stand beside each other."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@pytest.mark.parametrize("digits", [1, 4_300, 4_301, 60_000])
def test_long_numbers_can_be_read_and_stay_long(digits: int) -> None:
    """Python reads what comes out, which is as it was or beyond every bound."""
    found = json.loads(readable(b'{"x":-' + b"9" * digits + b"}"))["x"]
    assert found == -(10 ** min(digits, sys.int_info.default_max_str_digits) - 1)


@pytest.mark.parametrize(
    "value", [b'{"x":0' + b"1" * 5_000 + b"}", b'{"x":"\\', b'"\\ud83', b"\xff"]
)
def test_what_is_no_json_does_not_become_any(value: bytes) -> None:
    """Nothing is mended that was wrong before."""
    with pytest.raises(ValueError):
        json.loads(readable(value))


def test_the_usual_is_left_alone() -> None:
    """Fractions and exponents of any length, pairs and escaped backslashes are kept."""
    value = rb'{"a":0.' + b"1" * 5_000 + rb',"b":"\\ud83d \ud83d\ude00","c":"\u0000"}'
    assert readable(value) == value
