"""Addresses as settings hold them: of databases, interfaces and web pages.

Each is checked when the settings are read, so that a mistake is told with its variable and not by
a socket, a driver or a browser later on.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

PORTS: Final = range(1, 65_536)

_DATABASE: Final = re.compile(
    r"sqlite:///(?P<file>.*)"
    r"|(?:postgres|postgresql|postgresql\+psycopg)://(?:[^@]*@)?"
    r"(?:\[[^@\[\]]+\]|[^@:/?\[\]]*)(?::(?P<port>[0-9]{1,5}))?(?:[/?][^@]*)?"
)
"""Addresses of databases that we know how to ask: one ``@`` at most, and a port is a number."""

_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*", re.ASCII
)
_NUMBER_AT_THE_END: Final = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$", re.ASCII)
"""What systems read as an address of IPv4, in forms that differ: 127.1, 0x7f.1, 2130706433."""


def database_fault(url: str) -> str | None:
    """Return why *url* is no address of a database, nothing of it repeated; None if it is one.

    An ``@`` in a password would be read as the end of it, and the rest of the password as a
    host, which every message of the driver names.
    """
    found = _DATABASE.fullmatch(url)
    if found is None:
        return (
            "write postgresql://user:password@host:port/name, and in the password "
            "%40 for @ and %25 for %"
        )
    if found["port"] is not None and int(found["port"]) not in PORTS:
        return "its port is not one of 1 to 65535"
    file = None if found["file"] is None else unquote(found["file"].partition("?")[0])
    if file is not None and (file in ("", ":memory:") or "\0" in file):
        return "name a file after sqlite:///: a database in memory is gone with the process"
    return None


def sqlite_url(file: Path) -> str:
    """Return the address of the database in *file* for SQLAlchemy, whatever the file is called.

    >>> sqlite_url(Path("/srv/100% sure?/gov#1.db"))
    'sqlite:////srv/100%25 sure%3F/gov%231.db'
    """
    return f"sqlite:///{quote(str(file), safe='/ ')}"


def interface(host: str) -> str:
    """Return *host*, to be listened on, in its usual form.

    >>> interface("[::1]"), interface("::ffff:127.0.0.1"), interface("LOCALHOST")
    ('::1', '127.0.0.1', 'localhost')

    Raises:
        ValueError: it is no address of IPv4 or IPv6 and no name; says what to write.
    """
    bare = host.strip().removeprefix("[").removesuffix("]").lower()
    try:
        address = ip_address(bare)
    except ValueError:
        if not _NAME.fullmatch(bare) or _NUMBER_AT_THE_END.search(bare):
            raise ValueError(
                f"{host!r} is no address to listen on; write one of this machine, such as "
                "127.0.0.1 or ::1, without a port"
            ) from None
        return bare
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def within_reach(host: str) -> str:
    """Return what to ask on this machine for whatever listens on *host*.

    >>> within_reach("::"), within_reach("0.0.0.0"), within_reach("10.0.0.7")
    ('::1', '127.0.0.1', '10.0.0.7')
    """
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not to listen on


def in_url(host: str) -> str:
    """Return *host* as it stands in the address of a page.

    >>> in_url("::1"), in_url("fe80::1%eth0"), in_url("localhost")
    ('[::1]', '[fe80::1%25eth0]', 'localhost')
    """
    return f"[{host.replace('%', '%25')}]" if ":" in host else host


def web_fault(url: str) -> str | None:
    """Return why *url* is no address of a page, or None if it is one."""
    try:
        address = urlsplit(url)
        fits = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # a bracket that is not closed, or a port that is none
        fits = False
    if not fits or not re.fullmatch(r"[!-~]+", url):
        return "write an address like https://login.example.com/keys, with a port of 1 to 65535"
    return None


def is_confidential(url: str) -> bool:
    """Return whether nobody on the way can change what *url* answers."""
    address = urlsplit(url)
    return address.scheme == "https" or (
        address.scheme == "http" and is_loopback(address.hostname or "")
    )
