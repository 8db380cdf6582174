"""Asking the product's own ports, as a monitoring system would."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import Final

from embedded.ports import LOOPBACK

PATIENCE: Final = 30.0
"""Seconds to wait for an answer: a worker that catches up answers when its batch is done."""


def get(port: int, path: str) -> tuple[int, bytes]:
    """Return the status and the body of *path*; 0 and nothing while nobody answers on *port*."""
    connection = HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def metrics(port: int) -> dict[str, float]:
    """Return the samples of ``/metrics`` on *port* by name and labels; empty without an answer."""
    lines = get(port, "/metrics")[1].decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in rows}
