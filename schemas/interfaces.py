"""Interfaces that settings name: one way for ports to listen, and to say that they cannot.

IPv6 and IPv4 alike; ``::`` listens on every interface of both.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from schemas.addresses import in_url
from schemas.errors import BadSetting

NOT_THERE: Final = (
    *(errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL),
    *(socket.EAI_NONAME, socket.EAI_FAIL, socket.EAI_AGAIN),
)
"""Errors that every port of the interface has: there is none, or nobody knows the name."""


def family_of(host: str) -> socket.AddressFamily:
    """Return the family of addresses that *host* is of; a name is looked up in IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listener_on(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *port* of *host*.

    Raises:
        OSError: it cannot.
    """
    family = family_of(host)
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, dualstack_ipv6=both)


@contextmanager
def interface_of(host_setting: str, port_setting: str, host: str, port: int) -> Iterator[None]:
    """Tell an error of listening on *port* of *host* as one of the setting that causes it.

    Raises:
        BadSetting: the port is taken or may not be used, or this machine has no such interface.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NOT_THERE:
            raise BadSetting(
                host_setting,
                f"cannot listen on {host!r} ({error.strerror}); name an interface of this machine, "
                "such as 127.0.0.1",
            ) from error
        problem = f"cannot listen on {in_url(host)}:{port}: {error.strerror}"
        raise BadSetting(port_setting, problem) from error
