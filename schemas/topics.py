"""The one table of topics: names, partitions, keys, retention, clean-up, schema.

Topics are always created by us from here; brokers must not create them on demand, since a topic
with the wrong settings (``CreateTime`` above all) makes every count unrepeatable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MIB: Final = 1024 * 1024
DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One row: ``name`` is without the prefix; ``schema`` names the model of its values."""

    name: str
    partitions: int
    key: str
    schema: str
    cleanup: str = "delete"
    retention_ms: int = 7 * DAY
    retention_bytes: int = -1
    max_message_bytes: int = MIB
    config: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Return the topic's settings as Kafka names and writes them."""
        retention = (
            {}
            if self.cleanup == "compact"
            else {
                "retention.ms": str(self.retention_ms),
                "retention.bytes": str(self.retention_bytes),
            }
        )
        return {
            "cleanup.policy": self.cleanup,
            # As it was sent, whatever the brokers' default is: they need not pack it anew.
            "compression.type": "producer",
            "max.message.bytes": str(self.max_message_bytes),
            **retention,
            **self.config,
        }


COMMAND_EVENTS: Final = Topic(
    "command-events",
    8,
    "command type",
    "Event",
    max_message_bytes=MIB,
    config={"message.timestamp.type": "LogAppendTime"},
)
TALLIES: Final = Topic("tallies", 4, "none", "Cuts", max_message_bytes=8 * MIB)
BREAKER_ACTIONS: Final = Topic("breaker-actions", 1, "scope", "Decision", retention_ms=30 * DAY)
RULES: Final = Topic("rules", 1, "name@version", "RuleVersion", cleanup="compact")
STATE: Final = Topic(
    "state",
    1,
    "governance, epoch/N, resolution/ID or protection/N",
    "StateTopicRecord",
    cleanup="compact",
)
ALERTS: Final = Topic("alerts", 3, "scope", "Alert", retention_ms=30 * DAY)
DEAD_LETTERS: Final = Topic(
    "dead-letters",
    4,
    "that of the record",
    "raw bytes",
    retention_ms=30 * DAY,
    max_message_bytes=2 * MIB,
)
TALLY_CHANGELOG: Final = Topic(
    "tally-changelog",
    8,
    "none",
    "TallyDelta",
    retention_ms=-1,
    retention_bytes=1024 * MIB,
    max_message_bytes=8 * MIB,
)
JUDGE_CHANGELOG: Final = Topic(
    "judge-changelog",
    4,
    "none",
    "JudgeDelta",
    retention_ms=-1,
    retention_bytes=1024 * MIB,
    max_message_bytes=8 * MIB,
)

TOPICS: Final[tuple[Topic, ...]] = (
    COMMAND_EVENTS,
    TALLIES,
    BREAKER_ACTIONS,
    RULES,
    STATE,
    ALERTS,
    DEAD_LETTERS,
    TALLY_CHANGELOG,
    JUDGE_CHANGELOG,
)

UNDIVIDED: Final = frozenset(topic.name for topic in TOPICS if topic.partitions == 1)
"""Topics that are one order of records: written to and read from their first partition only."""

CHANGELOG_OF: Final = {
    COMMAND_EVENTS.name: TALLY_CHANGELOG.name,
    TALLIES.name: JUDGE_CHANGELOG.name,
}
"""Each source topic and the changelog that keeps its states, partition by partition."""
