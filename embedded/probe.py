"""Where the API is, how it is asked, and whether it answers yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from schemas.addresses import in_url, is_loopback, within_reach
from schemas.settings import Settings

DIRECT: Final[OpenerDirector] = build_opener(ProxyHandler({}))
"""Asks without a proxy: one of a company cannot reach our loopback interface."""


def api_address(settings: Settings) -> str:
    """Return where the API is, as people type it on this machine."""
    host = within_reach(settings.host)
    # Not so for ::1, which localhost does not mean everywhere.
    return f"http://{'localhost' if host == '127.0.0.1' else in_url(host)}:{settings.port}"


def asked_address(settings: Settings) -> str:
    """Return where the API is, as we ask it: no name that a machine may take for another."""
    return f"http://{in_url(within_reach(settings.host))}:{settings.port}"


def ask(request: Request, *, timeout: float, elsewhere: bool = False) -> HTTPResponse:
    """Return the answer to *request*, to be closed by the caller.

    Args:
        request: Made by `question`, say.
        timeout: In seconds, of silence.
        elsewhere: Whether somebody named another machine's API: that may be behind a proxy of the
            environment (``http_proxy``, ``no_proxy``). Everything else is asked directly.

    Raises:
        OSError: there is no answer, or one that says no (`HTTPError`).
    """
    is_own = not elsewhere or is_loopback(urlsplit(request.full_url).hostname or "")
    opener = DIRECT if is_own else build_opener()
    answer: HTTPResponse = opener.open(request, timeout=timeout)
    return answer


def question(settings: Settings, address: str, **headers: str) -> Request:
    """Return a request for *address* that names us, where the settings hold a token."""
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
    return Request(address, headers=headers)  # noqa: S310 - the user's own API


def is_served_by(pid: int | None, pid_file: Path) -> bool:
    """Tell whether the process *pid* has the port; another's may answer there instead.

    Where the PID file is set to be a device, which keeps nothing, whoever answers is believed.
    """
    if pid_file.exists() and not pid_file.is_file():
        return True
    try:
        return pid_file.read_text(encoding="utf-8").strip() == str(pid)
    except OSError:
        return False


def standing(health: dict[str, Any] | None) -> str:
    """Return in words whether the API whose ``/health`` this is is the active one.

    >>> standing({"role": "standby", "active": "http://other:4007"})
    'standby: http://other:4007 is the active one'
    """
    said = health or {}
    if said.get("role") != "standby":
        return str(said.get("role", "not known"))
    active = said.get("active")
    return f"standby: {f'{active} is' if active else 'nobody is'} the active one"


def complaints(ready: Mapping[str, object] | None) -> list[str]:
    """Return what each part that is not healthy says of itself, by the answer of ``/ready``."""
    checks = (ready or {}).get("checks")
    parts = checks.items() if isinstance(checks, dict) else ()
    return [
        f"{name}: {check.get('message') or check['status']}"
        for name, check in parts
        if isinstance(check, dict) and check.get("status", "healthy") != "healthy"
    ]


def answer(address: str) -> dict[str, Any] | None:
    """Return the JSON object at *address*, also of a 503; None when nothing answers."""
    try:
        with ask(Request(address), timeout=2) as found:  # noqa: S310 - our own API
            body = found.read()
    except HTTPError as refused:
        body = refused.read()
    except OSError:
        return None
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
