"""Which differences of an existing topic stop the start."""

from __future__ import annotations

import pytest

from embedded.topics import check
from schemas.errors import BadSetting
from schemas.topics import COMMAND_EVENTS, DEAD_LETTERS, RULES


def test_a_topic_with_producers_clocks_is_refused_with_the_command_that_mends_it() -> None:
    """CreateTime on the events topic would let a producer's clock decide what counts."""
    found = COMMAND_EVENTS.settings() | {"message.timestamp.type": "CreateTime"}

    with pytest.raises(BadSetting, match=r"topic g\.command-events: message\.timestamp\.type is"):
        check(
            {"g.command-events": COMMAND_EVENTS},
            {"g.command-events": found},
            bootstrap_servers="k:1",
        )


def test_a_rules_topic_that_is_not_compacted_is_refused() -> None:
    """Without compaction the rules would expire after a week."""
    found = RULES.settings() | {"cleanup.policy": "delete"}

    with pytest.raises(BadSetting, match=r"cleanup\.policy is delete and must be compact"):
        check({"g.rules": RULES}, {"g.rules": found}, bootstrap_servers="k:1")


def test_a_longer_retention_is_the_operators_to_choose() -> None:
    """Settings that make no count wrong may differ."""
    found = COMMAND_EVENTS.settings() | {"retention.ms": "-1"}

    check(
        {"g.command-events": COMMAND_EVENTS}, {"g.command-events": found}, bootstrap_servers="k:1"
    )


def test_a_topic_without_room_for_our_records_is_refused() -> None:
    """A dead letter, or what a flood makes, would not fit, and the worker would end there."""
    found = DEAD_LETTERS.settings() | {"max.message.bytes": "1048588"}

    with pytest.raises(BadSetting, match=r"--bootstrap-server k:1 .* max\.message\.bytes=2097152"):
        check({"g.dead-letters": DEAD_LETTERS}, {"g.dead-letters": found}, bootstrap_servers="k:1")
