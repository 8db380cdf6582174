"""Whether the topics have the partitions that are counted and judged, as health shows it.

Workers take up what somebody adds to ``command-events`` by themselves, and leave what is added to
``tallies`` unused. Here it is only looked at, from outside, so that it shows where people look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from kafka import KafkaAdminClient

from governance.health import Check, Health
from schemas.settings import Settings
from schemas.topics import COMMAND_EVENTS, TALLIES, TALLY_CHANGELOG

log = logging.getLogger(__name__)

LOOK: Final = 2.0
"""Seconds between two looks."""

PATIENCE: Final = 5_000
"""Milliseconds that an answer of Kafka is waited for."""

TOPICS: Final = (COMMAND_EVENTS, TALLY_CHANGELOG, TALLIES)


def check_of(settings: Settings, widths: Mapping[str, int], judges: int) -> Check:
    """Return how it is, by the partitions of each topic and the number of *judges* that reported.

    ``judges`` is 0 while nothing is known of them.
    """
    events, changelog, tallies = (widths.get(topic.name, 0) for topic in TOPICS)
    source, kept = settings.topic(COMMAND_EVENTS.name), settings.topic(TALLY_CHANGELOG.name)
    if changelog < events:
        return Check(
            status=Health.DEGRADED,
            message=f"{source} has {events} partitions and {kept}, which keeps their states, "
            f"{changelog}: workers widen it within seconds, or their log says why Kafka refuses; "
            "what is in the new partitions is counted from then on",
        )
    if 0 < judges < tallies:
        return Check(
            status=Health.HEALTHY,
            message=f"{settings.topic(TALLIES.name)} has {tallies} partitions and {judges} of "
            "them are used: scopes stay with the judges that know them, and nothing is lost",
        )
    if 0 < tallies < judges:
        return Check(
            status=Health.DEGRADED,
            message=f"{settings.topic(TALLIES.name)} has {tallies} partitions and the states of "
            f"the judges are those of {judges}: somebody made it anew; see When records are lost "
            "in docs/operations.md",
        )
    return Check(status=Health.HEALTHY)


class PartitionWatch:
    """Looks at the topics now and then; `check` is what the last look found."""

    def __init__(
        self,
        settings: Settings,
        bootstrap_servers: str,
        *,
        judges: Callable[[], int],
        wait: Callable[[float], object],
    ) -> None:
        self._settings = settings
        self._servers = bootstrap_servers
        self._judges = judges
        self._wait = wait
        self._admin: Any = None
        self.check = Check(status=Health.HEALTHY)

    def turn(self) -> None:
        """Look once, and say in the log what is new.

        Raises:
            KafkaError: Kafka does not answer.
        """
        check = check_of(self._settings, self._look(), self._judges())
        if check.message is not None and check != self.check:
            log.warning("%s", check.message)
        self.check = check
        self._wait(LOOK)

    def close(self) -> None:
        """Let go of the connection."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def _look(self) -> dict[str, int]:
        """Return how many partitions each topic has, by its name without the prefix."""
        if self._admin is None:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._servers.split(","),
                client_id="governance-partitions",
                bootstrap_timeout_ms=PATIENCE,
                request_timeout_ms=PATIENCE,
            )
        names = {self._settings.topic(topic.name): topic.name for topic in TOPICS}
        found = self._admin.describe_topics(list(names))
        return {names[row["name"]]: len(row["partitions"]) for row in found}
