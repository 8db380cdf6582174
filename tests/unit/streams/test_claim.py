"""One living worker has an id: the second is refused by name, and the dead are not waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.errors import BadSetting
from schemas.settings import Settings
from streams.claim import FIRST, Book, Claim, Count, Holder, holder_of


class Ledger(Book):
    """A book in memory; `then` is what happens elsewhere while somebody waits."""

    def __init__(self) -> None:
        self.count = Count(FIRST, None)
        self.waits = 0
        self.claims: list[Claim] = []
        self.then: Callable[[], object] = lambda: None

    def read(self) -> Count:
        """Return the count as it stands."""
        return self.count

    def write(self, count: Count) -> None:
        """Keep *count*."""
        self.count = count

    def close(self) -> None:
        """Do nothing."""

    def wait(self, _seconds: float) -> bool:
        """Let what happens elsewhere happen."""
        self.waits += 1
        self.then()
        return False


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Return a book in which nobody has counted; whoever claims in it ends with the test."""
    ledger = Ledger()
    yield ledger
    for one in ledger.claims:
        one.unlock()


def claim(ledger: Ledger, folder: Path, taken: list[str] | None = None) -> Claim:
    """Return a claim to w-0 of a process that has *folder* for its data."""
    settings = Settings(_env_file=None, worker_id="w-0", data_dir=folder)
    said = [] if taken is None else taken
    ledger.claims.append(Claim(settings, ledger, wait=ledger.wait, on_taken=said.append))
    return ledger.claims[-1]


def test_a_second_worker_in_the_same_folder_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    """At once, by the lock, with the process that has it and what to do."""
    first = claim(ledger, tmp_path)
    first.take()
    with pytest.raises(
        BadSetting, match=r"GOVERNANCE_WORKER_ID: 'w-0' is the id of .* process \d+"
    ):
        claim(ledger, tmp_path).take()
    assert ledger.waits == 0


def test_a_second_worker_elsewhere_is_refused_while_the_first_counts(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Another folder or machine has another lock, so the count tells."""
    first = claim(ledger, tmp_path / "a")
    first.take()
    ledger.then = first.beat
    before = ledger.count.holder
    with pytest.raises(BadSetting, match=r"runs: process \d+ on .*, in .*; give this one another"):
        claim(ledger, tmp_path / "b").take()
    assert ledger.count.holder == before


def test_a_worker_that_was_killed_is_back_without_waiting(ledger: Ledger, tmp_path: Path) -> None:
    """Whoever gets the lock that the last holder had knows that it is dead."""
    killed = claim(ledger, tmp_path)
    killed.take()
    killed.unlock()
    claim(ledger, tmp_path).take()
    assert ledger.waits == 0


def test_a_dead_worker_of_another_machine_is_replaced_after_a_moment(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Its count stands."""
    claim(ledger, tmp_path / "a").take()
    dead = ledger.count.holder
    claim(ledger, tmp_path / "b").take()
    assert ledger.waits > 0
    assert ledger.count.holder not in {dead, None}


def test_a_worker_that_has_ended_is_not_waited_for(ledger: Ledger, tmp_path: Path) -> None:
    """It gives the id back, so that another machine can have it at once."""
    ended = claim(ledger, tmp_path / "a")
    ended.take()
    with ended:
        pass
    claim(ledger, tmp_path / "b").take()
    assert ledger.waits == 0


def test_a_worker_that_was_taken_for_dead_gives_way(ledger: Ledger, tmp_path: Path) -> None:
    """It says who has its id now, and counts no more: one of the two goes, and not in turn."""
    said: list[str] = []
    sleeper = claim(ledger, tmp_path / "a", said)
    sleeper.take()
    heir = claim(ledger, tmp_path / "b", said)
    heir.take()
    before = ledger.count
    heir.beat()
    assert (said, ledger.count.number) == ([], before.number + 1)
    before = ledger.count
    sleeper.beat()
    assert ledger.count == before
    assert "another worker has taken the id 'w-0': process" in said[0]


def test_what_is_kept_of_a_holder_is_read_back() -> None:
    """And what is no holder is none."""
    holder = Holder("n", "host", 7, "/srv", "boot/1/2")
    assert holder_of(holder.to_text()) == holder
    assert [holder_of(text) for text in ("", "{}", "[]", "nonsense")] == [None] * 4
