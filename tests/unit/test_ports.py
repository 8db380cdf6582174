"""Choosing ports."""

from __future__ import annotations

import socket

from embedded.ports import LOOPBACK, OURS, choose, is_open


def test_a_free_port_is_taken_as_asked() -> None:
    """The port that is wanted is chosen while it is free."""
    [free] = choose([0])

    assert choose([free]) == [free]


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    """A port that someone listens on is never chosen, and the knock tells that it is open."""
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        [port] = choose([taken])

        assert port != taken and port in OURS
        assert is_open(taken) and not is_open(port)


def test_chosen_ports_differ() -> None:
    """Ports that are chosen together are all different, even when the same one is wanted."""
    [free] = choose([0])

    assert len(set(choose([free, free, 0, 0, 0]))) == 5
