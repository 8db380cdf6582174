"""The guard: without authentication, only this machine may ask, and no web page may act.

Two attacks work through an operator's own browser although the port is bound to loopback. A
page can point a name of its own at 127.0.0.1 and read everything (DNS rebinding): its requests
carry that name as ``Host``. And a page of any site can post to localhost, or embed an address of
it as a picture: its requests carry ``Sec-Fetch-Site`` or a foreign ``Origin``. Programs such as
curl send none of these.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemResponse, problem

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

OWN_SITES: Final = frozenset({"same-origin", "none"})
"""``same-site`` is not ours: every port of localhost is one site to a browser."""


class Guard:
    """Answers 421 to a foreign ``Host`` and 403 to another site's unsafe request."""

    def __init__(self, app: ASGIApp, *, any_name: bool = False) -> None:
        """Make the layer; with *any_name*, callers prove who they are, so any host may be named."""
        self.app = app
        self._any_name = any_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        answer = _refusal(scope, self._any_name) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)


def _refusal(scope: Scope, any_name: bool) -> ProblemResponse | None:
    """Return the answer to a request that may not pass, or None."""
    headers = Headers(scope=scope)
    for host in headers.getlist("host"):
        if host and not any_name and not is_loopback_name(host):
            return _answer("foreign_host", f"{host[:80]!r} is not a loopback name", scope)
    acts = scope["method"] not in SAFE_METHODS or is_embedded(headers)
    if acts and is_cross_site(headers):
        return _answer("cross_site", "the request comes from a page of another site", scope)
    return None


def _answer(code: str, detail: str, scope: Scope) -> ProblemResponse:
    """Return a problem of *code*."""
    return ProblemResponse(problem(code, detail, instance=scope["path"]))


def is_loopback_name(host: str) -> bool:
    """Return whether a ``Host`` header names this machine to itself, at any port.

    >>> is_loopback_name("localhost:4007"), is_loopback_name("[::1]"), is_loopback_name("a.b")
    (True, True, False)
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name.rstrip(".") == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def is_embedded(headers: Headers) -> bool:
    """Return whether a browser asks for a part of a page, and not for a page to show.

    A page elsewhere cannot read the answer, but a scrape is noted and a stream is held all the
    same. A link that somebody follows is not one of these.
    """
    mode, part = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest", "document")
    return mode is not None and (mode, part) != ("navigate", "document")


def is_cross_site(headers: Headers) -> bool:
    """Return whether a browser says that the request comes from a page that is not ours."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in OWN_SITES
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
