"""Faults: no message asks people to read a pattern."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from schemas import faults
from schemas.faults import FORMS, GROUP_BY, WEB_ADDRESS, fault_of

ROOT = Path(__file__).parents[3]


def told(pattern: str, value: str) -> str:
    """Return what is said of a value that does not fit."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Annotated[str, Field(pattern=pattern)]).validate_python(value)
    return fault_of(refused.value.errors()[0])


@pytest.mark.parametrize("pattern", FORMS)
def test_a_value_that_does_not_fit_is_told_what_would(pattern: str) -> None:
    """The words are those of the table, and no value is repeated: it may be a secret."""
    assert told(pattern, "an/odd one!" * 40) == FORMS[pattern]
    assert "write" in FORMS[pattern]


def test_the_words_name_what_fits() -> None:
    """A web address and a grouping are described by how they look."""
    assert "https://" in told(WEB_ADDRESS, "on my desk")
    assert "labels.NAME" in told(GROUP_BY, "planet")


def test_every_pattern_of_a_model_has_its_words() -> None:
    """A model names a pattern of the table; one that is written on the spot has no words."""
    packages = ("schemas", "rules", "streams", "governance", "api")
    code = (path.read_text() for name in packages for path in (ROOT / name).rglob("*.py"))
    used = {name for text in code for name in re.findall(r"\bpattern=([^,)\s]+)", text)}
    assert {getattr(faults, name, name) for name in used} == set(FORMS)
