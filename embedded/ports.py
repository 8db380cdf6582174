"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

LOOPBACK: Final = "127.0.0.1"
OURS: Final = range(20_000, 32_000)
"""Below the kernel's range for outgoing connections.

In that range, someone's connection may take the port before the broker does, and a client that
knocks on it in a loop can even end up connected to itself.
"""


def choose(wanted: Iterable[int]) -> list[int]:
    """Return a free port for each that is wanted: that one if it is free, another if not.

    Zero means any. All are held until the last is chosen, so that they differ.
    """
    with ExitStack() as held:
        return [_hold(held, port) for port in wanted]


def is_open(port: int) -> bool:
    """Tell whether something accepts connections on *port*."""
    with socket.socket() as knock:
        knock.settimeout(1)
        return knock.connect_ex((LOOPBACK, port)) == 0


def _hold(held: ExitStack, wanted: int) -> int:
    candidates = [wanted] if wanted else []
    candidates += random.sample(OURS, 100)
    for port in candidates:
        probe = held.enter_context(socket.socket())
        # As Java's server sockets do: a port in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()  # or a second probe of ours could have the same port
        except OSError:
            continue
        return port
    raise OSError("no free port on the loopback interface")
