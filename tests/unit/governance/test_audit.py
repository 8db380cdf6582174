"""The audit chain: whatever is done to it shows."""

import random
import time
from collections.abc import Callable

import pytest

from governance.audit import GENESIS, AuditRow, Checkpoint, canonical, chained, verify_chain

Rows = list[AuditRow]


def chain(length: int) -> Rows:
    """Return a chain as the store writes it."""
    rows: Rows = []
    head = GENESIS
    for seq in range(1, length + 1):
        after = canonical({"n": seq, "é": None})
        facts = (seq, "2026-11-23T12:00:00.000Z", "anna", "rule.changed", f"r{seq}", None, after)
        rows.append(AuditRow(*facts, prev_hash=head, hash=chained(head, facts)))
        head = rows[-1].hash
    return rows


def head_of(rows: Rows) -> Checkpoint:
    """Return what somebody kept elsewhere."""
    return Checkpoint(rows[-1].seq, rows[-1].hash)


def edited(rows: Rows, at: int, chance: random.Random) -> Rows:
    """Change one field of one row."""
    field = chance.choice(["at", "actor", "act", "subject", "before", "after", "hash"])
    forged = AuditRow(**{**rows[at]._asdict(), field: f"forged {field}"})
    return [*rows[:at], forged, *rows[at + 1 :]]


def deleted(rows: Rows, at: int, _: random.Random) -> Rows:
    """Take one row away."""
    return [*rows[:at], *rows[at + 1 :]]


def renumbered(rows: Rows, at: int, _: random.Random) -> Rows:
    """Take one row away and number the rest anew."""
    rest = [*rows[:at], *rows[at + 1 :]]
    return [row._replace(seq=number) for number, row in enumerate(rest, 1)]


def inserted(rows: Rows, at: int, _: random.Random) -> Rows:
    """Put a copy of a row beside it."""
    return [*rows[: at + 1], rows[at], *rows[at + 1 :]]


def swapped(rows: Rows, at: int, _: random.Random) -> Rows:
    """Exchange two neighbours, with numbers that look right."""
    one, other = sorted((at, (at + 1) % len(rows)))
    new = list(rows)
    new[one], new[other] = rows[other]._replace(seq=one + 1), rows[one]._replace(seq=other + 1)
    return new


def cut_off(rows: Rows, at: int, _: random.Random) -> Rows:
    """Take the tail away."""
    return rows[:at]


def written_anew(rows: Rows, at: int, _: random.Random) -> Rows:
    """Take the tail away and write another one that fits."""
    kept = rows[:at]
    head = kept[-1].hash if kept else GENESIS
    for seq in range(at + 1, len(rows) + 1):
        facts = (seq, "2026-11-23T12:00:00.000Z", "mallory", "rule.changed", "r", None, None)
        kept = [*kept, AuditRow(*facts, prev_hash=head, hash=chained(head, facts))]
        head = kept[-1].hash
    return kept


TAMPERS: list[Callable[[Rows, int, random.Random], Rows]] = [
    edited,
    deleted,
    renumbered,
    inserted,
    swapped,
    cut_off,
    written_anew,
]


def test_a_chain_as_written_is_intact() -> None:
    """What nobody touched verifies, with and without a checkpoint, and an empty log too."""
    rows = chain(20)
    assert verify_chain(rows).intact
    assert verify_chain(rows, head_of(rows[:7])).intact
    assert verify_chain([]).head_hash == GENESIS


def test_a_thousand_tampers_are_all_found() -> None:
    """Any edit, deletion, insertion, move or truncation shows against a checkpoint of the head."""
    rows, chance = chain(40), random.Random(28)
    checkpoint = head_of(rows)
    for number in range(1_000):
        tamper = TAMPERS[number % len(TAMPERS)]
        forged = tamper(rows, chance.randrange(len(rows)), chance)
        report = verify_chain(forged, checkpoint)
        assert not report.intact, f"{tamper.__name__} was not found"
        assert report.broken_at is not None


def test_a_break_is_located() -> None:
    """The report names the first row that does not fit, and why."""
    rows = chain(10)
    rows[4] = rows[4]._replace(actor="mallory")
    report = verify_chain(rows)
    assert (report.broken_at, report.rows) == (5, 4)
    assert report.problem == "the row was changed after it was written"


def test_a_cut_tail_needs_a_checkpoint_to_show() -> None:
    """A shorter chain is whole in itself; that is why the head is kept elsewhere."""
    rows = chain(10)
    assert verify_chain(rows[:6]).intact
    report = verify_chain(rows[:6], head_of(rows))
    assert report.problem == "rows are missing at the end: the checkpoint is beyond it"


@pytest.mark.parametrize(
    "facts", [{"b": 1, "a": [True, None, "é"]}, {"a": [True, None, "é"], "b": 1}]
)
def test_facts_have_one_spelling(facts: dict[str, object]) -> None:
    """The order of keys does not change the bytes that are hashed."""
    assert canonical(facts) == '{"a":[true,null,"é"],"b":1}'


def test_verifying_is_fast_enough_for_a_million_rows() -> None:
    """A row costs microseconds, so that a million verify within the promised 15 seconds."""
    rows = chain(20_000)
    began = time.process_time()
    assert verify_chain(rows).intact
    assert (time.process_time() - began) * 50 < 15
