"""A worker's own small HTTP port: ``/metrics`` for Prometheus and ``/health`` for supervisors."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def serve(
    host: str, port: int, *, registry: CollectorRegistry, health: Callable[[], dict[str, Any]]
) -> ThreadingHTTPServer:
    """Serve on *host*:*port* (0: a free one) from a thread; return the server."""

    class Handler(BaseHTTPRequestHandler):
        """Answers the two paths."""

        def do_GET(self) -> None:
            """Answer with metrics or health; anything else is not found."""
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/health":
                found = health()
                status = 200 if found["status"] == "healthy" else 503
                self._answer(status, "application/json", json.dumps(found).encode())
            else:
                self._answer(404, "text/plain", b"try /metrics or /health\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing: scrapes are not news."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="worker-http", daemon=True).start()
    return server
