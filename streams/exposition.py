"""A worker's own small HTTP port: ``/metrics`` for Prometheus and ``/health`` for supervisors.

A worker knows no identities and asks no database. Where a token is set, only whoever sends it
sees numbers; everybody else sees whether the worker is healthy, and nothing of how it works.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import SecretStr

from schemas.interfaces import listener_on

PATIENCE: Final = 10.0
"""Seconds that a connection may be silent, so that idle ones do not pile up threads."""


def serve(
    host: str,
    port: int,
    *,
    registry: CollectorRegistry,
    health: Callable[[], dict[str, Any]],
    token: SecretStr | None = None,
) -> ThreadingHTTPServer:
    """Serve on *host*:*port* (0: a free one) from a thread; return the server.

    Without *token* everybody who reaches the port sees everything: for loopback only.

    Raises:
        OSError: the port is taken, or this machine has no such interface.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers the two paths."""

        timeout = PATIENCE

        def do_GET(self) -> None:
            """Answer with metrics or health; anything else is not found."""
            path, _, query = self.path.partition("?")
            if path == "/metrics":
                self._metrics(parse_qs(query).get("name[]", []))
            elif path == "/health":
                self._health()
            else:
                self._answer(404, "text/plain", b"try /metrics or /health\n")

        def do_HEAD(self) -> None:
            """Answer as GET does, without the body: probes ask so."""
            self.do_GET()

        def _metrics(self, names: list[str]) -> None:
            """Answer with the metrics, or those of *names*, to whoever may see them."""
            if self._is_known():
                shown = registry.restricted_registry(names) if names else registry
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(shown))
            else:
                self._answer(401, "text/plain", b"send Authorization: Bearer TOKEN\n")

        def _health(self) -> None:
            """Answer with the health: the status to everybody, the rest to the known."""
            found = health()
            shown = found if self._is_known() else {"status": found["status"]}
            status = 200 if found["status"] == "healthy" else 503
            self._answer(status, "application/json", json.dumps(shown).encode())

        def _is_known(self) -> bool:
            """Whether the request may see everything."""
            return token is None or is_sent(token, self.headers.get_all("Authorization", []))

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def version_string(self) -> str:
            """Return what the header ``Server`` says: no versions, for those who look for them."""
            return "governance"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing: scrapes are not news."""

    server = ThreadingHTTPServer((host, port), Handler, bind_and_activate=False)
    server.socket.close()  # of IPv4, whatever the host
    server.socket = listener_on(host, port)
    server.server_address = server.socket.getsockname()
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="worker-http", daemon=True).start()
    return server


def is_sent(token: SecretStr, headers: list[str]) -> bool:
    """Return whether the one ``Authorization`` header among *headers* sends *token*.

    Compared in constant time: how long a refusal takes says nothing of how much was right.
    """
    if len(headers) != 1:
        return False
    scheme, _, sent = headers[0].partition(" ")
    proof = sent.strip().encode("utf-8", "surrogateescape")
    wanted = token.get_secret_value().encode()
    return scheme.lower() == "bearer" and hmac.compare_digest(proof, wanted)
