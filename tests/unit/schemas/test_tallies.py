"""Columns, scopes and topics: tables that several parts must read alike."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tallies import (
    OVERALL,
    PANE,
    SAMPLE_CLASS,
    STEP,
    WIDTH,
    Column,
    Cut,
    Cuts,
    Row,
    Sample,
    dimension_of,
    scope_of,
    value_of,
)
from schemas.topics import COMMAND_EVENTS, TOPICS, Topic


@given(dimension=st.sampled_from(("commandType", "labels.site", "labels.a.b")), value=st.text())
def test_a_scopes_key_says_what_it_groups_by(dimension: str, value: str) -> None:
    """Whatever the value, an equals sign too, both parts come back."""
    scope = scope_of(dimension, value)
    assert (dimension_of(scope), value_of(scope)) == (dimension, value)


def test_everything_is_a_scope_of_its_own() -> None:
    """It is no value of a grouping, not even of a command type of that name."""
    assert (dimension_of(OVERALL), value_of(OVERALL)) == ("overall", "*")
    assert scope_of("commandType", "*") != OVERALL


def test_columns_are_positions_without_holes() -> None:
    """A row of counts is a plain list."""
    assert [column.value for column in Column] == list(range(WIDTH))


def test_what_is_bad_leaves_evidence() -> None:
    """Every bad outcome has a class; that automation did it is no outcome."""
    fine = {Column.PROPOSED, Column.APPROVED, Column.REJECTED, Column.SUCCEEDED}
    how = {column for column in Column if column.name.endswith("_AUTONOMOUS")}
    assert set(SAMPLE_CLASS) == set(Column) - fine - how


def test_the_format_of_tallies_is_the_one_on_the_topic() -> None:
    """A worker of another version reads the same: the order of fields is the format."""
    cuts = Cuts(3, [Cut(0, STEP, 7, [Row("*", [(1, [(4, 2)])], [Sample(0, 1, 6, "c1")])], 2)])
    plain = [3, [[0, 100, 7, [["*", [[1, [[4, 2]]]], [[0, 1, 6, "c1"]]]], 2]]]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(cuts)) == plain
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=Cuts) == cuts


def test_panes_are_made_of_whole_steps() -> None:
    """A decision falls on every boundary of a pane."""
    assert PANE % STEP == 0


def test_the_clock_of_events_is_the_brokers() -> None:
    """A topic with producers' times would make every count unrepeatable."""
    assert COMMAND_EVENTS.settings()["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topics_settings_fit_its_clean_up(topic: Topic) -> None:
    """What is compacted is kept for ever; what is deleted says when, or by what size."""
    settings = topic.settings()
    assert settings["cleanup.policy"] in {"delete", "compact"}
    assert ("retention.ms" in settings) == (topic.cleanup == "delete")
    if settings.get("retention.ms") == "-1":
        assert int(settings["retention.bytes"]) > 0


def test_state_outlives_any_pause() -> None:
    """A changelog is never deleted by time: a stopped system keeps its state."""
    changelogs = [topic for topic in TOPICS if topic.name.endswith("changelog")]
    assert [topic.retention_ms for topic in changelogs] == [-1, -1]


def test_no_topic_is_named_twice() -> None:
    """The table is the one place where names are made."""
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
