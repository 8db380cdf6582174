"""Ports for what tests start, which nobody else takes between the choice and the start."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from typing import Final

SHARES: Final = 8
FIRST: Final = 10_000
WIDTH: Final = 1_200
"""Each pytest process has a share of its own: below the product's range and the kernel's.

A port that the kernel gives is one that it may give again, to a connection or to another test,
before the server that was meant to have it has started.
"""


def free_port() -> int:
    """Return a port that nobody listens on; never the same one soon again."""
    for port in _OURS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("endless")


def has_ipv6() -> bool:
    """Tell whether this machine has a loopback interface of IPv6; some containers have none."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _ours() -> Iterator[int]:
    """Go round our share for ever, from anywhere in it."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
    at = random.randrange(WIDTH)
    while True:
        yield FIRST + share * WIDTH + at
        at = (at + 1) % WIDTH


_OURS: Final = _ours()
