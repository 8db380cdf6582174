"""Watches the control topics: are they what the database says, and do judges judge by it?

At its start, after every error and every minute it compares the two and puts them right; every few
seconds it looks whether a topic was made anew or judges know rules that the database does not.
Nothing is published before the first comparison: a database may be another than Kafka was told of.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from governance.desk import Desk
from governance.frontier import Frontiers
from governance.handlers import list_unjudged_rules
from governance.handlers.reconciling import Observed, Reconciled, reconcile
from governance.kafka import ControlTopics, read_published
from schemas.topics import RULES, STATE

log = logging.getLogger(__name__)

LOOK: Final = 3.0
"""Seconds between two looks at the topics: what is wrong is mended within ten."""

COMPARE: Final = 60.0
"""Seconds between two comparisons though nothing seems to have happened."""

TELL: Final = 3
"""How often a rule that a judge did not hear of is told again: a worker may be too old for it."""

RESOLUTIONS: Final = 600.0
"""The same for resolutions, of which there may be very many."""


class TopicsWatch:
    """Takes turns at looking, in the one state service that is active."""

    def __init__(
        self,
        desk: Desk,
        bootstrap_servers: str,
        frontiers: Frontiers,
        *,
        wait: Callable[[float], None],
    ) -> None:
        self._desk = desk
        self._frontiers = frontiers
        self._wait = wait
        self._names = [desk.settings.topic(topic.name) for topic in (RULES, STATE)]
        self._topics = ControlTopics(bootstrap_servers, self._names)
        self._compared_at: float | None = None
        self._resolutions_at: float | None = None
        self._reported: Mapping[str, int] = {}
        self._told: Counter[str] = Counter()
        self.may_publish = False
        self.last = Reconciled()

    def turn(self) -> None:
        """Look, put right what is wrong, and wait.

        Raises:
            Unavailable: the database or a topic is not there; the next turn begins anew.
            KafkaError: Kafka does not answer.
        """
        self.look()
        self._wait(LOOK)

    def look(self) -> None:
        """Read what is new, and compare if that may show anything."""
        since, began = self._desk.clock(), time.monotonic()
        anew = self._topics.refresh()
        reported = self._frontiers.known_rules()
        due = _is_due(self._compared_at, began, COMPARE)
        if not (anew or due or reported != self._reported):
            return
        rules, state = (self._topics.records[name] for name in self._names)
        observed = Observed(
            read_published(rules, state),
            since,
            reported,
            is_first=not self.may_publish,
            with_resolutions=anew or _is_due(self._resolutions_at, began, RESOLUTIONS),
            unheard=self._unheard() if due else frozenset(),
        )
        self.last = reconcile(self._desk, observed)
        self._compared_at, self._reported = began, reported
        if observed.with_resolutions:
            self._resolutions_at = began
        self.may_publish = True

    def _unheard(self) -> frozenset[str]:
        """Return the rules that some judge does not judge by, unless telling it did not help."""
        found = list_unjudged_rules(self._desk)
        self._told = Counter({name: self._told[name] + 1 for name in found})
        return frozenset(name for name, times in self._told.items() if times <= TELL)

    def stand_by(self) -> None:
        """Publish nothing until the topics were compared anew: another service is active now."""
        self.may_publish = False
        self.close()

    def close(self) -> None:
        """Let go of Kafka; the next look reads the topics from their beginning."""
        self._compared_at = self._resolutions_at = None
        self._topics.close()


def _is_due(last: float | None, now: float, every: float) -> bool:
    """Whether what was done at *last* (monotonic s), if ever, is to be done again."""
    return last is None or now - last > every
