"""Descriptors: a process may have as many as the system allows, not as many as it began with."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RAISED = """
import resource
from schemas.descriptors import limit, raise_limit
assert limit() == 256
raise_limit()
raise_limit()
print(limit())
"""


def test_the_limit_is_raised_to_the_hard_one() -> None:
    """Twice is as good as once, and no right is needed for it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    asked = subprocess.run(
        ["sh", "-c", 'ulimit -S -n 256 && exec "$@"', "sh", sys.executable, "-c", RAISED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(asked.stdout) == hard
