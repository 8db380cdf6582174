"""What is read from breaker-actions: actions and frontiers, and never anything else."""

import pytest

from governance.consumer import decode
from schemas.actions import Frontier
from schemas.errors import BadRecord
from schemas.rules import Action
from tests.desks import NOON, trip


def test_actions_and_frontiers_are_read_back() -> None:
    """What a judge writes is what the state service reads."""
    action = trip(epoch=3)
    frontier = Frontier(partition=0, partitions=4, judged_until=NOON, worker="w-0")
    assert decode(action.to_bytes()) == action
    assert decode(frontier.to_bytes()) == frontier


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b'{"kind":"action"}', b'{"kind":"verdict"}', b"\xff\xfe", b"1e999"],
)
def test_what_nobody_can_read_is_a_bad_record(value: bytes | None) -> None:
    """No bytes whatever raise anything but the one error that the consumer counts."""
    with pytest.raises(BadRecord):
        decode(value)


def test_a_pause_of_nothing_is_a_bad_record() -> None:
    """A pause without a command type cannot be carried out, so it is said and not guessed."""
    nobody = trip(None, Action.PAUSE_COMMAND_TYPE)
    with pytest.raises(BadRecord, match="names no command type"):
        decode(nobody.to_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"rule_version": 2**31},
        {"rule_version": 0},
        {"epoch": 2**63},
        {"epoch": -1},
        {"scope": "SET\0POWER"},
        {"decided_at": NOON.replace(year=1)},
        {"decided_at": NOON.replace(year=9999)},
    ],
)
def test_what_no_database_would_hold_is_a_bad_record(change: dict[str, object]) -> None:
    """One such record is passed over, instead of holding up every action behind it."""
    with pytest.raises(BadRecord):
        decode(trip().model_copy(update=change).to_bytes())
