"""Descriptors: how many files and sockets this process may have open at once.

Many systems start a process with 1,024 for the sake of programs from the eighties that count no
further; ours may have as many as the system allows.
"""

from __future__ import annotations

import resource
from contextlib import suppress


def limit() -> int:
    """Return how many this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_limit() -> None:
    """Raise the limit as far as it may be raised without any right."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # where "as many as you like" is no number to ask for
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
