"""Actions that are applied while their disk fills up again and again; run on a small disk.

Whatever was refused left nothing behind, whatever was applied is there, and the offset stands
where the last applied one ended. It says what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from governance import handlers
from governance.desk import Desk
from governance.handlers import Position
from governance.store.ballast import Ballast
from schemas.actions import BreakerAction
from schemas.errors import DiskFull
from tests.desks import NOON, alert, desk_at, revert, trip
from tests.full_disk import fill

BATCH = 10


@dataclass
class Seen:
    """What the rounds were."""

    applied: int = 0
    refused: int = 0
    released: int = 0


class Rounds:
    """One database, whose disk is filled in each round to a few pages."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._file = folder / "governance.db"
        self._filler = folder / "filler"
        self._chance = chance
        self._desk: Desk = desk_at(f"sqlite:///{self._file}")
        self._ballast.fill()
        self.seen = Seen()

    @property
    def _ballast(self) -> Ballast:
        """Return the room that is given up for a lowering."""
        assert self._desk.store.ballast is not None
        return self._desk.store.ballast

    def take(self) -> None:
        """Fill the disk but for some pages, apply until it is full, check, make room, go on."""
        fill(self._filler)
        os.truncate(self._filler, self._filler.stat().st_size - 4096 * self._chance.randrange(60))
        refusals = self._chance.randint(1, 3)
        while refusals:
            refusals -= not self._apply()
        self._check()
        self.seen.released += self._ballast.is_released
        self._filler.unlink()
        self._desk.store.probe()
        assert not self._ballast.is_released
        assert self._apply()
        self._check()

    def _apply(self) -> bool:
        """Apply a batch; return whether there was room."""
        first = self.seen.applied
        batch = [self._action(number) for number in range(first, first + BATCH)]
        position = Position("breaker-actions", 0, first + BATCH)
        try:
            handlers.apply_actions(self._desk, batch, position=position)
        except DiskFull:
            self.seen.refused += 1
            return False
        self.seen.applied += BATCH
        return True

    def _action(self, number: int) -> BreakerAction:
        """Return the *number*-th action."""
        at = NOON + timedelta(hours=number)
        kinds = (trip(f"T{number % 7}", decided_at=at), revert(decided_at=at), alert(decided_at=at))
        return kinds[number % 3]

    def _check(self) -> None:
        """All of what was applied is there, and nothing of what was refused."""
        applied = self.seen.applied
        with self._desk.store.reading() as unit:
            assert (unit.offsets.next_offset("breaker-actions", 0) or 0) == applied
            acts = [row[3] for row in unit.audit.rows()]
            assert acts.count("trip.applied") == applied
            assert unit.events.count() == applied + acts.count("escalation.raised")
        assert handlers.verify_audit(self._desk).intact
        with closing(sqlite3.connect(self._file)) as direct:
            assert direct.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def main(folder: str, number: str, seed: str) -> None:
    """Take rounds, and say what was seen."""
    rounds = Rounds(Path(folder), random.Random(seed))
    for _ in range(int(number)):
        rounds.take()
    sys.stdout.write(json.dumps(asdict(rounds.seen)))


if __name__ == "__main__":
    main(*sys.argv[1:])
