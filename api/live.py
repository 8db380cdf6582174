"""Live: what was committed, told at once to everybody who follows it.

    commit ──► feed ──► wakes every follower ──► each reads on from where it is

A follower keeps only a number, the last news that it has seen. So one that lost its connection
goes on where it was, and a slow one holds nothing back and fills no memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from governance import handlers
from governance.desk import Desk
from governance.feed import Feed
from governance.store.outbox import OutboxRow
from schemas.alerts import Alert
from schemas.errors import NotAuthenticated, Unavailable
from schemas.governance import STATE_TOPIC, GovernanceState, StateRecord
from schemas.topics import ALERTS, STATE

FOLLOWERS: Final = 100
"""Open streams at most: each holds a connection."""

STATE_EVENT: Final = "governance.state"
"""The name of the events that say what the state is; alerts have names of their own."""

RETRY: Final = 2_000
"""Milliseconds after which a browser that lost the stream comes back."""


class Live:
    """The followers of one application; belongs to one event loop between `open` and `close`."""

    def __init__(self, feed: Feed, desk: Desk, *, limit: int = FOLLOWERS) -> None:
        self._feed = feed
        self._desk = desk
        self._limit = limit
        self._seats = 0
        self._moved = asyncio.Event()
        self._is_closed = False
        self._forget: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Listen to commits from now on; call it on the event loop."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            # A commit may still come from another thread while the loop ends.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake)

        self._forget = self._feed.listen(tell)

    def close(self) -> None:
        """End every stream, soon."""
        self._is_closed = True
        self._forget()
        self._wake()

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Hold one of the places.

        Raises:
            Unavailable: all are taken.
        """
        if self._seats >= self._limit:
            raise Unavailable("stream", f"{self._limit} clients follow already", retry_after=30)
        self._seats += 1
        try:
            yield
        finally:
            self._seats -= 1

    async def follow(
        self, seen: int | None, check: Callable[[], None] = lambda: None
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield the state as it is, or what came after number *seen*; then all that comes.

        *check* is asked before anything new is told, and raises once the follower may no longer
        be told. Ends then, when the application does, or when the database does not answer:
        whoever follows comes back with the last number that it has.
        """
        with suppress(Unavailable, NotAuthenticated):
            last = await run_in_threadpool(self._feed.last)
            if seen is None or seen > last:
                yield await run_in_threadpool(self._snapshot, last)
                seen = last
            async for row in self._after(seen, check):
                event = event_of(row, self._desk)
                if event is not None:
                    yield event

    async def _after(self, position: int, check: Callable[[], None]) -> AsyncIterator[OutboxRow]:
        """Yield the news behind *position*, waiting for more at the end."""
        while not self._is_closed:
            moved = self._moved  # before reading: a commit while we read is not missed
            rows = await run_in_threadpool(
                self._feed.after, position, topics=(ALERTS.name, STATE.name)
            )
            if rows:
                await run_in_threadpool(check)
            for row in rows:
                position = row.seq
                yield row
            if not rows:
                await moved.wait()

    def _snapshot(self, position: int) -> ServerSentEvent:
        """Return the state as it is now."""
        return _state_event(handlers.show_state(self._desk), number=position)

    def _wake(self) -> None:
        """Let every follower look again."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def event_of(row: OutboxRow, desk: Desk) -> ServerSentEvent | None:
    """Return what followers are told of a row, or None for what is for judges alone."""
    if row.topic == ALERTS.name:
        kind = Alert.model_validate_json(row.value).type
        return ServerSentEvent(raw_data=row.value, event=kind, id=str(row.seq))
    record = STATE_TOPIC.validate_json(row.value)
    if row.key != "governance" or not isinstance(record, StateRecord):
        return None
    return _state_event(_state_of(record, desk), number=row.seq)


def _state_of(record: StateRecord, desk: Desk) -> GovernanceState:
    """Return a state that was, as the API shows states."""
    return GovernanceState(
        current_phase=record.phase,
        phase_start_date=record.phase_start_date,
        command_whitelist=record.command_whitelist,
        paused_command_types=record.paused_command_types,
        all_paused=record.all_paused,
        resumed_command_types=record.resumed_command_types,
        autonomy_epoch=record.autonomy_epoch,
        days_since_phase_start=max(0, (desk.clock() - record.phase_start_date).days),
    )


def _state_event(state: GovernanceState, *, number: int) -> ServerSentEvent:
    """Return the event that says what the state is."""
    data = state.model_dump_json(by_alias=True, exclude_none=True)
    return ServerSentEvent(raw_data=data, event=STATE_EVENT, id=str(number), retry=RETRY)
