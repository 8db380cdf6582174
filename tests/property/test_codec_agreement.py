"""The fast decoder and the model that is the law say the same of every record."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.errors import BadRecord
from schemas.events import CommandEvent, IncidentEvent, Reason, SafetyEvent, read_event
from schemas.wire import to_ms
from streams.codec import decode, decode_all
from tests.oracle.events import read

Any_ = st.sampled_from

TEXTS: Final = (
    "a",
    "SET_POWER",
    "",
    "x" * 256,
    "x" * 257,
    "事" * 256,
    "nul\0",
    "é\n\t\x7f",
    "😀",
    "\ud83d",
    "a\ude00\ud83d",
)
NOT_TEXTS: Final[tuple[Any, ...]] = (None, 7, 1.5, True, [], {}, ["a"], {"a": "b"})
MOMENTS: Final = (
    "2026-11-23T09:14:05.120Z",
    "2026-11-23T09:14:05Z",
    "2026-11-23T09:14:05.120999+02:00",
    "2026-11-23T09:14:05.1-05:30",
    "2026-11-23t09:14:05z",
    "2026-11-23 09:14:05Z",
    "2026-11-23T09:14Z",
    "2026-11-23T09:14:05.123456789Z",
    "2026-11-23T09:14:05+0200",
    "2026-11-23T09:14:05+02",
    "2026-11-23T09:14:05,5Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T23:59:60Z",
    "2026-11-23T09:14:05+23:59",
    "2026-11-23T09:14:05+24:00",
    "2026-11-23T09:14:05-00:00",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00Z",
    "2100-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "0000-01-01T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-11-23T09:14:05",
    "2026-11-23",
    "20261123T091405Z",
    " 2026-11-23T09:14:05Z",
    "1795424400",
    "1795424400000",
    "yesterday",
    1_795_424_400,
    1.5e9,
    -1,
    0,
)
NUMBERS: Final = (
    0,
    1,
    840,
    840.5,
    -1,
    -0.0,
    1e15,
    1e16,
    2**63 - 1,
    2**63,
    2**70,
    41.0,
    True,
    "41",
    "\ud83d",
)
STATUSES: Final = (
    "failed",
    "timed_out",
    "succeeded",
    "proposed",
    "FAILED",
    "",
    "exploded",
    "failed\udd25",
)
SEVERITIES: Final = ("critical", "low", "fatal", "", "low\udd25")
SIGNALS: Final = ("constraint_violation", "emergency_abort", "smoke")
LABELS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"region": "EU"},
    {"": ""},
    {"a": 1},
    {"a": None},
    {"x" * 257: "a"},
    {"a": "x" * 257},
    {"half\ud83d": "a"},
    {"a": "half \ud83d"},
    {"nul\0": "a"},
    {"a": "\0"},
    {str(number): "a" for number in range(32)},
    {str(number): "a" for number in range(33)},
)
POOLS: Final[dict[str, tuple[Any, ...]]] = {
    "id": TEXTS,
    "occurredAt": MOMENTS,
    "autonomous": (True, False, 1, 0, "true"),
    "actor": TEXTS,
    "epoch": NUMBERS,
    "labels": LABELS,
    "commandId": TEXTS,
    "commandType": TEXTS,
    "status": STATUSES,
    "durationMs": NUMBERS,
    "errorClass": TEXTS,
    "incidentId": TEXTS,
    "severity": SEVERITIES,
    "signal": SIGNALS,
    "summary": TEXTS,
    "kind": ("command", "incident", "safety", "Command", "", "command\ud83d"),
    "id_": ("x",),
    "occurred_at": ("2026-11-23T09:14:05Z",),
    "unknown": (
        None,
        {"deep": [[[1]]]},
        "x" * 1000,
        10**30,
        "\0",
        1e300,
        "\ud83d",
        ["\ude00", {"\ud83d": 1}],
    ),
    "\ud83d": (1,),
}
GOOD: Final[dict[str, Any]] = {
    "id": "e1",
    "occurredAt": "2026-11-23T09:14:05.120Z",
    "commandId": "c1",
    "commandType": "FAN",
    "status": "failed",
    "incidentId": "i1",
    "severity": "high",
    "signal": "emergency_abort",
}
COMMAND: Final = {**GOOD, "kind": "command"}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a good event in which a few fields were replaced or left out."""
    document = {"kind": draw(Any_(("command", "incident", "safety"))), **GOOD}
    for name in draw(st.lists(Any_(sorted(POOLS)), max_size=3)):
        if draw(st.integers(0, 9)) == 0:
            document.pop(name, None)
        else:
            document[name] = draw(Any_(POOLS[name] + NOT_TEXTS[: draw(st.integers(0, 8))]))
    return document


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Return the bytes of such an event, written in some way."""
    text = json.dumps(
        draw(documents()),
        ensure_ascii=draw(st.booleans()),
        separators=draw(Any_(((", ", ": "), (",", ":")))),
        indent=draw(Any_((None, None, None, 1))),
    )
    return text.encode(errors="surrogatepass")


FRAGMENTS: Final = (
    b"", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"}", b"[", b'"', b",", b":", b"\\",
    b"\\u0000", b"\\ud83d", b"\\ud83d\\ude00", b"null", b"NaN", b"Infinity", b"-Infinity",
    b"1e999", b"-1e999", b"1" * 400, b"01", b".5", b"1.", b"+1", b"0x10", b'"kind":"incident",',
    b'"id":"twice",', b'"status":"rejected",', b'"x":NaN,', b'"x":-Infinity,', b'"x":1e999,',
    b'"durationMs":NaN,', b'"durationMs":1e999,', b'"epoch":1e2,', b'"x":"\\ud83d",',
    b'"x":' + b"[" * 60 + b"]" * 60 + b",", b'"x":' + b"9" * 4_000 + b",",
    b'"x":' + b"9" * 5_000 + b",", b'"epoch":' + b"9" * 5_000 + b",",
    b'"x":0' + b"1" * 5_000 + b",", b"\\\\ud83d", b"\\ud83d\\u0041",
    b'"x":-' + b"9" * 5_000 + b".5e7,", b'"durationMs":0.' + b"1" * 5_000 + b",",
    b'"x":1e' + b"9" * 5_000 + b",", b"1" * 5_000, b"\\udE00\\uD83d",
    b'"x":' + b"[" * 150 + b"]" * 150 + b",", b'"x":' + b"[" * 300 + b"]" * 300 + b",",
    b'"x":"\xff",', b'"\xff":1,', b'"x":"\xed\xa0\x80",', b'"x":"\x01",', b'"x":"\\q",',
)  # fmt: skip


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Return a record in which some bytes were cut out, put in or doubled."""
    value = draw(records())
    for _ in range(draw(st.integers(1, 3))):
        inside = draw(st.booleans())
        at = 1 if inside and value[:1] == b"{" else draw(st.integers(0, len(value)))
        until = at + draw(Any_((0, 0, 0, 1, 2, 30)))
        value = value[:at] + draw(Any_(FRAGMENTS)) + value[until:]
    return value


def _law(value: bytes) -> CommandEvent | IncidentEvent | SafetyEvent | None:
    """Return what the model makes of a record, None if it refuses it."""
    try:
        return read_event(value)
    except ValidationError:
        return None


FIELDS: Final = (
    "id", "autonomous", "actor", "epoch", "labels", "command_id", "command_type", "status",
    "duration_ms", "error_class", "incident_id", "severity", "summary", "signal",
)  # fmt: skip


def check_agreement(value: bytes) -> None:
    """Assert that both readers say the same of *value*."""
    event = _law(value)
    try:
        decoded = decode(value)
    except BadRecord as bad:
        assert event is None, f"the model accepts what the decoder refuses: {bad}"
        assert bad.reason in set(Reason) - {Reason.LATE}
        return
    assert event is not None, "the decoder accepts what the model refuses"
    assert to_ms(decoded.occurred_at) == to_ms(event.occurred_at)
    assert type(decoded).__name__ == type(event).__name__.removesuffix("Event")
    for name in FIELDS:
        assert getattr(decoded, name, None) == getattr(event, name, None), name


LAX: Final = settings(
    max_examples=2_500, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)


@LAX
@given(value=records())
@example(value=json.dumps({**GOOD, "kind": "command", "status": "exploded"}).encode())
@example(value=b'{"x":"\\ud83d",' + json.dumps({**GOOD, "kind": "incident"}).encode()[1:])
@example(value=b'{"x":' + b"1" * 5_000 + b"," + json.dumps({**GOOD, "kind": "safety"}).encode()[1:])
@example(value=b'{"x":NaN,' + json.dumps({**GOOD, "kind": "command"}).encode()[1:])
def test_both_readers_agree_on_events(value: bytes) -> None:
    """The fast decoder accepts what the model accepts, with the same fields, and nothing else."""
    check_agreement(value)


@LAX
@given(value=mutants())
@example(
    value=b'{"x":"\\u0000",' + b'"y":' + b"1" * 5_000 + b"," + json.dumps(COMMAND).encode()[1:]
)
@example(value=b'{"x":"\\ude00","epoch":' + b"1" * 5_000 + b"," + json.dumps(COMMAND).encode()[1:])
@example(value=b'{"x":"\\\\ud83d\\ud83d\\ude00\\ude00",' + json.dumps(COMMAND).encode()[1:])
def test_both_readers_agree_on_damaged_events(value: bytes) -> None:
    """They agree on bytes that are no JSON, or hardly, too."""
    check_agreement(value)


@settings(LAX, max_examples=500)
@given(values=st.lists(st.one_of(records(), records(), records(), mutants(), Any_((b"", None)))))
def test_many_at_once_are_read_as_one_by_one(values: list[bytes | None]) -> None:
    """Decoding a batch gives for each record what decoding it alone gives."""
    for value, got in zip(values, decode_all(values), strict=True):
        assert _answer(got) == (None if not value else _answer(_alone(value)))


def _alone(value: bytes) -> object:
    """Return what decoding *value* alone gives, an error too."""
    try:
        return decode(value)
    except BadRecord as bad:
        return bad


def _answer(got: object) -> object:
    """Return what is compared: an error by its reason and detail."""
    return (got.reason, got.detail) if isinstance(got, BadRecord) else got


@settings(LAX, max_examples=1_000)
@given(document=documents())
def test_the_reason_is_the_contracts(document: dict[str, Any]) -> None:
    """What is refused is refused for the reason that a reading by hand gives."""
    value = json.dumps(document).encode()
    wanted = read(value)
    try:
        decode(value)
    except BadRecord as bad:
        assert bad.reason == wanted
    else:
        assert not isinstance(wanted, Reason), f"should be {wanted}"


@pytest.mark.parametrize("depth", [150, 190, 250, 500, 700, 900, 990])
def test_depth_is_judged_alike_from_any_stack(depth: int) -> None:
    """How deep a record may be nested is a fact of the record, not of who reads it where."""
    value = b'{"x":' + b"[" * depth + b"]" * depth + b","
    value += json.dumps({**GOOD, "kind": "command"}).encode()[1:]

    def from_below(frames: int) -> object:
        return _answer(_alone(value)) if frames == 0 else from_below(frames - 1)

    assert from_below(0) == from_below(600)
    check_agreement(value)


@pytest.mark.parametrize("value", [b"x" * 65_537, b"[" * 65_536, b'{"a":' * 10_000])
def test_size_and_depth_are_refused_calmly(value: bytes) -> None:
    """A record that is too long, or nested beyond reason, is a bad record and no crash."""
    with pytest.raises(BadRecord):
        decode(value)
