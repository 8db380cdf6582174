"""Which dead letters are sent again: each once, and none that could only come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from cli.letters import Letter, default_reasons, letter_of, plan
from schemas.wire import iso

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def letter(
    offset: int, reason: str = "unknown_status", *, partition: int = 0, age: float | None = 1
) -> Letter:
    """Return a letter; *age* is how long ago its event happened, None if nobody can tell."""
    happened = {} if age is None else {"occurredAt": iso(NOW - timedelta(seconds=age))}
    return letter_of(
        partition,
        offset,
        key=b"SET_FAN",
        value=json.dumps(happened).encode(),
        headers=[
            ("topic", b"governance.command-events"),
            ("partition", b"5"),
            ("offset", str(offset + 100 * partition).encode()),
            ("reason", reason.encode()),
            ("detail", "größer".encode()),
            ("receivedAt", b"2026-11-23T12:00:00.000Z"),
        ],
    )


def test_a_letter_says_what_its_headers_say() -> None:
    """Six headers, the raw bytes and the key are all there."""
    shown = letter(3).shown()

    assert shown["reason"] == "unknown_status"
    assert (shown["topic"], shown["sourcePartition"], shown["sourceOffset"]) == (
        "governance.command-events",
        5,
        3,
    )
    assert shown["detail"] == "größer"
    assert shown["key"] == "SET_FAN"


def test_a_strangers_record_is_shown_all_the_same() -> None:
    """Whatever somebody wrote to the topic, the list does not break."""
    shown = letter_of(0, 1, key=None, value=b"\xff", headers=[("offset", "²".encode())]).shown()

    assert shown["reason"] == "unknown"
    assert shown["sourceOffset"] == -1
    assert shown["valueBase64"] == "/w=="


def test_late_letters_are_left_out_unless_asked_for() -> None:
    """What came too late comes too late again."""
    letters = [letter(0), letter(1, "late")]
    assert default_reasons(letters) == {"unknown_status"}


def test_letters_that_would_be_late_by_now_are_left_out_and_counted() -> None:
    """An event that nobody can date is sent; one of two minutes ago is not, unless asked for."""
    letters = [letter(0, age=120), letter(1, age=1), letter(2, "not_json", age=None)]
    reasons = default_reasons(letters)

    chosen = plan(letters, {}, now=NOW, reasons=reasons)
    assert [one.offset for one in chosen.letters] == [1, 2]
    assert sum(chosen.left_out.values()) == 1
    assert len(plan(letters, {}, now=NOW, reasons=reasons, late=True).letters) == 3


def test_an_old_letter_with_half_an_emoji_is_known_to_be_old() -> None:
    """What made it a dead letter does not hide when its event happened."""
    value = b'{"occurredAt":"2026-11-23T11:00:00Z","summary":"too hot \\ud83d"}'
    old = letter_of(0, 1, key=None, value=value, headers=[("reason", b"invalid")])
    assert not plan([old], {}, now=NOW, reasons={"invalid"}).letters


def test_each_letter_is_sent_once() -> None:
    """The marks of one replay keep the next from sending the same again."""
    letters = [letter(0), letter(1), letter(0, partition=1)]
    reasons = default_reasons(letters)
    first = plan(letters, {}, now=NOW, reasons=reasons)
    assert first.marks == {"unknown_status": {0: 2, 1: 1}}

    second = plan([*letters, letter(2)], first.marks, now=NOW, reasons=reasons)
    assert [one.offset for one in second.letters] == [2]
    assert second.left_out == {"sent again before": 3}


def test_a_limit_leaves_the_rest_for_the_next_time() -> None:
    """Marks cover what was sent and nothing behind it."""
    letters = [letter(number) for number in range(5)]
    reasons = default_reasons(letters)
    first = plan(letters, {}, now=NOW, reasons=reasons, limit=2)
    rest = plan(letters, first.marks, now=NOW, reasons=reasons)
    assert [one.offset for one in (*first.letters, *rest.letters)] == [0, 1, 2, 3, 4]


def test_a_replay_of_one_reason_leaves_the_others_alone() -> None:
    """Marks are kept per reason, so a filter passes nothing over for good."""
    letters = [letter(0, "not_json"), letter(1), letter(2, "not_json")]
    first = plan(letters, {}, now=NOW, reasons={"not_json"})
    assert [one.offset for one in first.letters] == [0, 2]
    rest = plan(letters, first.marks, now=NOW, reasons=default_reasons(letters))
    assert [one.offset for one in rest.letters] == [1]


def test_two_letters_of_one_record_are_one() -> None:
    """A worker that was killed may have written the letter twice."""
    twice = [letter(0), Letter(0, 1, *_rest(letter(0)))]
    assert len(plan(twice, {}, now=NOW, reasons={"unknown_status"}).letters) == 1


def _rest(one: Letter) -> tuple[bytes | None, bytes, str, tuple[int, int], str, str, str]:
    """Return all of a letter but where it stands."""
    return one.key, one.value, one.topic, one.source, one.reason, one.detail, one.received_at
