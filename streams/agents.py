"""The two agents: what flows where. `streams.tally` and `streams.judge` decide everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.app import StreamApp


def define_agents(app: StreamApp) -> None:
    """Define the agents of *app* on its topics of raw bytes."""

    @app.agent(app.events_topic, name="tally")
    async def tally(stream: Any) -> AsyncIterator[None]:
        """Count command events into tallies, a whole partition batch at a time."""
        async for event in stream.events():
            await app.take(app.tallying, event)
            yield

    @app.agent(app.tallies_topic, name="judge")
    async def judge(stream: Any) -> AsyncIterator[None]:
        """Judge breaker rules on tallies, and publish the actions of those that trip."""
        async for event in stream.events():
            await app.take(app.judging, event)
            yield
