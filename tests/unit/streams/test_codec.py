"""Why a record holds no event, and batches that are decoded in one call or not."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import BadRecord
from schemas.events import MAX_RECORD, Reason
from streams.codec import MAX_DETAIL, Command, Incident, Safety, decode, decode_all
from tests.unit.streams.facts import command

INCIDENT: Final = {
    "kind": "incident",
    "id": "e1",
    "occurredAt": "2026-11-23T12:00:00Z",
    "incidentId": "i1",
    "severity": "high",
}
SAFETY: Final = {
    "kind": "safety",
    "id": "e1",
    "occurredAt": "2026-11-23T12:00:00Z",
    "signal": "emergency_abort",
}


def padded(size: int) -> bytes:
    """Return a good record of exactly *size* bytes."""
    bare = command("e1", padding="")
    return command("e1", padding="x" * (size - len(bare)))


REFUSED: Final[list[tuple[Reason, bytes, str]]] = [
    (Reason.TOO_LARGE, padded(MAX_RECORD + 1), "65537 bytes; a record may have at most 65536"),
    (Reason.NOT_JSON, b"{", "EOF"),
    (Reason.NOT_JSON, b" ", "EOF"),
    (Reason.NOT_JSON, b"\xff\xfe", "expected value"),
    (Reason.NOT_JSON, command("e1") + command("e2"), "trailing characters"),
    (Reason.NOT_JSON, command("raw").replace(b"raw", b"\x00"), "control character"),
    (Reason.UNKNOWN_KIND, command("e1", kind="order"), "kind: must be command, incident or safety"),
    (Reason.UNKNOWN_KIND, b"{}", "kind: must be"),
    (Reason.UNKNOWN_STATUS, command("e1", status="exploded"), "status: must be one of proposed,"),
    (Reason.INVALID, b"[]", "record: Input should be"),
    (Reason.INVALID, command("", status="exploded"), "id: String should have at least"),
    (Reason.INVALID, command("e1", status=5), "status: Input should be"),
    (Reason.INVALID, command("e1", commandType="x" * 257), "commandType: String should have"),
    (Reason.INVALID, command("nul\0"), "id: must not hold a NUL"),
    (Reason.INVALID, command("e1", labels={"site": "\0"}), "labels.site: must not"),
    (Reason.INVALID, command("half\ud83d"), "id: must not hold NUL or half of a character"),
    (Reason.INVALID, command("e1", labels={"a": "\ude00"}), "labels.a: must not hold NUL or half"),
    (
        Reason.INVALID,
        command("e1", epoch=-5).replace(b"-5", b"5" * 5_000),
        "epoch: Input should be less than",
    ),
    (Reason.UNKNOWN_STATUS, command("e1", status="failed\ud83d"), "status: must be one of"),
    (Reason.UNKNOWN_KIND, command("e1", kind="command\ud83d"), "kind: must be"),
    (Reason.INVALID, command("e1", occurredAt="2026-11-23T12:00:00"), "occurredAt: Input should"),
    (Reason.INVALID, command("e1", occurredAt=1_795_435_200), "occurredAt: write"),
    (Reason.INVALID, command("e1", autonomous="yes"), "autonomous: Input should be"),
    (Reason.INVALID, command("e1", durationMs=float("inf")), "durationMs: Input should be"),
]


@pytest.mark.parametrize(("reason", "value", "detail"), REFUSED)
def test_a_refused_record_says_why_and_where(reason: Reason, value: bytes, detail: str) -> None:
    """The reason is one of the contract's, and the detail names the field."""
    with pytest.raises(BadRecord) as refused:
        decode(value)
    assert refused.value.reason == reason
    assert detail in refused.value.detail


@pytest.mark.parametrize(
    "stranger",
    [
        rb'"note":"too hot \ud83d"',
        rb'"note":"\ude00 the other half"',
        rb'"note":["\ud83d",{"\ud83d":"\ud83d\ud83d"}]',
        rb'"\ud83d":1',
        rb'"note":"\ud83d","again":"\u0000"',
        b'"note":' + b"1" * 5_000,
        b'"note":{"deep":[-' + b"9" * 60_000 + b"]}",
        b'"note":1e999',
        b'"note":"\\u0000","sum":' + b"1" * 5_000,
    ],
)
def test_what_nobody_knows_costs_no_event(stranger: bytes) -> None:
    """A field that we do not know stands aside, whatever JSON is in it, also in a batch."""
    bare = json.dumps(INCIDENT | {"severity": "critical"}).encode()
    value = b"{" + stranger + b"," + bare[1:]
    assert decode(value) == decode(bare)
    assert decode_all([bare, value, bare]) == [decode(bare)] * 3


def test_a_text_that_is_cut_in_a_character_is_named() -> None:
    """The detail says which field, and what the producer has to do."""
    value = json.dumps(INCIDENT | {"summary": "too hot \ud83d"}).encode()
    with pytest.raises(BadRecord, match=r"summary: must not .*: cut text between characters"):
        decode(value)


def test_every_reason_of_decoding_has_an_example() -> None:
    """Only lateness depends on more than the record itself."""
    assert {reason for reason, _, _ in REFUSED} == set(Reason) - {Reason.LATE}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (command("e1"), Command),
        (json.dumps(INCIDENT).encode(), Incident),
        (json.dumps(SAFETY).encode(), Safety),
        (padded(MAX_RECORD), Command),
        (command("e1", unknown={"deep": [1, None]}), Command),
        (command("e1", unknown="\0"), Command),
        (command(r"back\u0000slash"), Command),
        (json.dumps(json.loads(command("e1")), indent=2).encode(), Command),
        (b" \n" + command("e1") + b"\n", Command),
    ],
)
def test_a_good_record_is_an_event(value: bytes, kind: type[Any]) -> None:
    """Unknown fields, line breaks and exactly the largest size do no harm."""
    event = decode(value)
    assert type(event) is kind
    assert event.id in {"e1", r"back\u0000slash"}


def test_a_detail_is_no_longer_than_a_header_should_be() -> None:
    """A record that is wrong in hundreds of places is described in one line of bounded length."""
    labels = {f"label-{number}": number for number in range(32)}
    with pytest.raises(BadRecord) as refused:
        decode(command("e1", labels=labels))
    assert len(refused.value.detail) == MAX_DETAIL


UNUSUAL: Final = st.sampled_from(
    [
        None, b"", b" ", b"\n", b"\n\n", b"\t", b"{", b"{}\n{}", b"null", b"\x00", b"\xff",
        command("a") + b"\n", b"\n" + command("b"), command("c") + b"\n" + command("d"),
        command("e") + command("f"), command("g").replace(b",", b",\n"), command("nul\0"),
        command("h", unknown="\0"), command(r"i\u0000"), command("k", status="exploded"),
        padded(MAX_RECORD), padded(MAX_RECORD + 1), json.dumps(INCIDENT).encode(),
        command("m") + b"\r", command("n").replace(b",", b",\r"), b"\xef\xbb\xbf" + command("o"),
    ]
)  # fmt: skip


@given(values=st.lists(st.integers(0, 5).map(lambda n: command(f"e{n}")) | UNUSUAL, max_size=8))
@example(values=[b" ", command("e") + command("f")])
def test_a_batch_is_read_as_its_records_one_by_one(values: list[bytes | None]) -> None:
    """Whatever lies beside a record, it is read as it would be alone; ticks are None."""
    assert list(map(said, decode_all(values))) == list(map(alone, values))


def alone(value: bytes | None) -> object:
    """Return what one record is found to be."""
    if not value:
        return None
    try:
        return decode(value)
    except BadRecord as bad:
        return said(bad)


def said(found: object) -> object:
    """Return an error as it can be compared."""
    return (found.reason, found.detail) if isinstance(found, BadRecord) else found
