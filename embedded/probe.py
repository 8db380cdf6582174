"""Where the API is, and whether it answers yet."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from schemas.settings import Settings


def api_address(settings: Settings) -> str:
    """Return where the API is, as people type it."""
    host = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
    return f"http://{host}:{settings.port}"


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
