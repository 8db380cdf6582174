"""Where the API is, how it is asked, and whether it answers yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from schemas.settings import Settings


def api_address(settings: Settings) -> str:
    """Return where the API is, as people type it."""
    host = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
    return f"http://{host}:{settings.port}"


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


def answer(address: str) -> dict[str, Any] | None:
    """Return the JSON object at *address*, also of a 503; None when nothing answers."""
    try:
        with urlopen(address, timeout=2) as found:  # noqa: S310 - our own API
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
