"""Addresses of brokers as people write them, and the one form in which every client takes them.

The four clients that we use each read some forms that another does not: here is the only place
where an address is read.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

DEFAULT_PORT: Final = 9092

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)://(.*)")
_PLACE: Final = re.compile(r"(\[[^\[\]]*\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_EXAMPLE: Final = "write host:port,host:port"


def brokers_of(written: str) -> str:
    """Return *written* as ``host:port,host:port``: what every client of ours takes.

    Spaces, quotes round an address, empty places between commas and Kafka's own
    ``PLAINTEXT://`` do no harm; without a port it is 9092.

    >>> brokers_of(' "PLAINTEXT://kafka-1:9093", kafka-2,[::1]:9092, ')
    'kafka-1:9093,kafka-2:9092,[::1]:9092'

    Raises:
        ValueError: an address cannot be used, or there is none; says which, and what to write.
    """
    places = [bare for one in _unquoted(written).split(",") if (bare := _unquoted(one))]
    if not places:
        raise ValueError(f"{written!r} names no broker; {_EXAMPLE}")
    return ",".join(dict.fromkeys(map(_place, places)))


def _unquoted(text: str) -> str:
    """Return *text* without the spaces and the one pair of quotes around it."""
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'" and bare.count(bare[0]) == 2:
        return bare[1:-1].strip()
    return bare


def _place(written: str) -> str:
    """Return one address as ``host:port``."""
    if "@" in written:  # what stands before it may be a password
        raise ValueError(f"an address has no user and no password; {_EXAMPLE}")
    with_scheme = _SCHEME.fullmatch(written)
    if with_scheme and with_scheme[1].upper() != "PLAINTEXT":
        raise ValueError(f"{written!r} is none of Kafka's PLAINTEXT listeners; {_EXAMPLE}")
    found = _PLACE.fullmatch(with_scheme[2] if with_scheme else written)
    if found is None:
        wanted = "an IPv6 address stands in brackets, [::1]:9092" if _is_ipv6(written) else _EXAMPLE
        raise ValueError(f"{written!r} is not host:port; {wanted}")
    host, port = found[1], int(found[2] or DEFAULT_PORT)
    if host.startswith("[") and not _is_ipv6(host[1:-1]):
        raise ValueError(f"{host[1:-1]!r} is no IPv6 address; {_EXAMPLE}")
    if not 1 <= port <= 65_535:
        raise ValueError(f"{written!r} has no port between 1 and 65535")
    return f"{host}:{port}"


def _is_ipv6(text: str) -> bool:
    """Return whether *text* is an IPv6 address that is the same for every interface."""
    try:
        return IPv6Address(text).scope_id is None
    except AddressValueError:
        return False
