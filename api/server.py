"""The server: one process, one port, started and stopped in the right order.

    port taken ─ pid file ─ log ─ state service ─ serving ─┐
    port freed ─ pid file removed ─ state service ended ◄──┘  SIGTERM, SIGINT: within 10 s

The port comes first: a second start must fail before it touches the first one's files.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.connections import Connections
from api.live import Live
from api.logs import start_logs
from api.protocol import BoundedProtocol
from api.reload import warn_of_unknown
from api.signals import expect_signals
from governance.service import StateService
from schemas.descriptors import raise_limit
from schemas.interfaces import interface_of, listener_on
from schemas.places import check_folder, place_of
from schemas.settings import Settings

log = structlog.get_logger(__name__)

DRAIN: Final = 3
"""Seconds that requests in flight have to finish."""

END: Final = 9.5
"""Seconds from the signal to the end at most; a service manager kills after ten."""

ACCEPTED: Final = 64
"""Connections that are accepted at once, before any of them is counted; fewer where there is room
for few. asyncio takes as many as fit into the queue, and without descriptors tries as often."""

QUEUE: Final = 4_096
"""Connections that the kernel keeps until they are accepted; it may keep fewer."""

SWEEP: Final = 5
"""Ticks of uvicorn, of 0.1 s each, between two looks for clients that let us wait."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and return.

    Raises:
        BadSetting: the settings are not safe to serve, the port is taken, or the data folder, the
            log or the PID file cannot be where they are set to be.
        Unavailable: the database does not answer.
    """
    settings.check_safe()
    raise_limit()
    check_folder("GOVERNANCE_DATA_DIR", settings.data_dir)
    with listening(settings) as listener, pid_file(settings.pid_file):
        start_logs(settings)
        warn_of_unknown()
        if threading.current_thread() is threading.main_thread():
            expect_signals()
        service = StateService(settings)
        service.start()
        server = Server(create_app(service, settings))
        _set_aside()
        log.info("serving", host=settings.host, port=settings.port, pid=os.getpid())
        try:
            server.run(sockets=[listener])
        finally:
            _stop(service, deadline=server.stopping_since + END)
        log.info("stopped")


class Server(uvicorn.Server):
    """Serves one application, and ends its endless answers first when it is to end.

    No client can let it wait for ever, and thousands that try take no descriptor from others.
    """

    def __init__(self, app: FastAPI) -> None:
        """Make the server; it leaves the log alone and does not say what it runs on."""
        self._connections: Connections = app.state.connections
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(BoundedProtocol, self._connections),  # type: ignore[arg-type]
                ws="none",
                backlog=max(1, min(ACCEPTED, self._connections.most // 8)),
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN,
            )
        )
        self._live: Live = app.state.live
        self._stopping_since: float | None = None

    @property
    def stopping_since(self) -> float:
        """Return when the end began, on the monotonic clock; now, if it has not."""
        return self._stopping_since or time.monotonic()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, with a queue of its full length where connections wait to be accepted."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(QUEUE)

    async def on_tick(self, counter: int) -> bool:
        """End the waits for clients that take too long, and tell whether to exit."""
        if counter % SWEEP == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which nothing else would, then the requests in flight."""
        self._stopping_since = time.monotonic()
        self._live.close()
        await super().shutdown(sockets)


def _stop(service: StateService, *, deadline: float) -> None:
    """Stop the state service, but wait no longer than until *deadline*.

    What it has not told Kafka by then is in its outbox, for the next start.
    """
    stopping = threading.Thread(target=service.stop, name="stop", daemon=True)
    stopping.start()
    stopping.join(max(0.0, deadline - time.monotonic()))
    if stopping.is_alive():
        log.warning("the state service did not stop in time; the next start goes on")


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Hold the port of *settings*.

    What is accepted from it sends at once. asyncio sees to that only for sockets that name their
    protocol, which these do not; and the end of an answer would wait for the client to confirm
    its beginning, which clients put off for 40 ms.

    Raises:
        BadSetting: another process has it, or this machine has no such interface.
    """
    with interface_of("HOST", "PORT", settings.host, settings.port):
        listener = listener_on(settings.host, settings.port)
    with listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@contextmanager
def pid_file(path: Path) -> Iterator[None]:
    """Hold the process's id in *path*, for the runbook's ``kill -USR1 $(cat governance.pid)``.

    Raises:
        BadSetting: nothing can be written there; what is there stays.
    """
    with place_of("GOVERNANCE_PID_FILE", path):
        file = path.open("w", encoding="utf-8")
    try:
        with file:
            file.write(f"{os.getpid()}\n")
        yield
    finally:
        if path.is_file() and _is_ours(path):  # and not /dev/null, which is everybody's
            path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether *path* still names this process: a second one of this folder may have written it."""
    return path.read_text("utf-8").strip() == str(os.getpid())


def _set_aside() -> None:
    """Let the collector pass over what is there for good: modules, models, routes.

    They are nearly all objects of the process, and looking through them, as it does again and
    again, stops every thread for longer than most answers take.
    """
    gc.collect()
    gc.freeze()
