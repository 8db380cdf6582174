"""HTTP/1.1 as uvicorn speaks it, with an end to every wait for a client.

uvicorn waits five seconds for the next request of a connection that had one, and for ever for
everything else: the first byte, the rest of the headers, the rest of a body, and a client that
takes no answer. `Connections` ends those.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.connections import Connections

TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """One connection that is counted, and ended when its client lets it wait."""

    def __init__(self, connections: Connections, **rest: Any) -> None:
        super().__init__(**rest)
        self.address = ""
        self._counted = connections
        self._has_begun = False
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and give up another where there is no room."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else "local"
        self._counted.admit(self, self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._counted.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let the client's time run from the first byte of its request."""
        if not self._has_begun:
            self._has_begun = True
            self._counted.wait(self, self.loop.time())
        super().data_received(data)
        self._take_turns()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        self._has_begun = False
        self._unsent = self.transport.get_write_buffer_size()
        super().on_response_complete()
        self._counted.wait(self, self.loop.time())
        self._take_turns()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent."""
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._take_turns()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._take_turns()

    def has_moved(self) -> bool:
        """Whether the client took something of an answer since this was asked last."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        return self._unsent != before

    def give_up(self) -> None:
        """End it at once; a client that sends its request too slowly is told so."""
        last = self._last
        if self._has_begun and not (last and last.response_started):
            self.transport.write(TOO_SLOW)
        self.transport.abort()

    def _take_turns(self) -> None:
        """Note whose turn it is."""
        if self._is_clients_turn():
            self._counted.keep_waiting(self, self.loop.time())
        else:
            self._counted.answer(self)

    def _is_clients_turn(self) -> bool:
        """Whether we wait for a request, for its body, or for somebody to take the answer."""
        last = self._last
        if last is None or last.response_complete or self.flow.write_paused:
            return True
        return last.more_body

    @property
    def _last(self) -> RequestResponseCycle | None:
        """Return the request that came last, or None before the first."""
        return self.cycle
