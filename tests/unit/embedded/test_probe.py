"""Whose answer it is that comes from our port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embedded.probe import complaints, is_served_by, standing


def test_whose_number_the_pid_file_holds_serves(tmp_path: Path) -> None:
    """Before it is written, or while it is another's, whoever answers is not ours."""
    file = tmp_path / "governance.pid"
    assert not is_served_by(17, file)
    file.write_text("170\n")
    assert not is_served_by(17, file)
    file.write_text("17\n")
    assert is_served_by(17, file)


def test_a_device_keeps_no_number() -> None:
    """Whoever wants no PID file has an API that starts all the same."""
    assert is_served_by(17, Path("/dev/null"))


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"role": "active", "active": "http://here:4007"}, "active"),
        (
            {"role": "standby", "active": "http://o:4007"},
            "standby: http://o:4007 is the active one",
        ),
        ({"role": "standby"}, "standby: nobody is the active one"),
        ({}, "not known"),
        (None, "not known"),
    ],
)
def test_which_service_answers_is_told_in_words(health: dict[str, Any] | None, said: str) -> None:
    """The console and `governance state` say who is active; an older API does not tell."""
    assert standing(health) == said


def test_what_is_not_well_says_so_itself() -> None:
    """Whoever waits for the whole in vain learns which part it is, and why."""
    ready = {
        "status": "unhealthy",
        "checks": {
            "database": {"status": "healthy"},
            "kafka": {"status": "unhealthy", "message": "cannot read a record of breaker-actions"},
            "stream": {"status": "degraded"},
        },
    }
    assert complaints(ready) == [
        "kafka: cannot read a record of breaker-actions",
        "stream: degraded",
    ]


def test_an_answer_that_says_nothing_complains_of_nothing() -> None:
    """Before the API serves, and while something else has its port."""
    assert [complaints(one) for one in (None, {}, {"checks": 7}, {"checks": {"a": 1}})] == [[]] * 4
