"""What judges and people write, mixed; and a process that does so until it is killed.

Run with ``python -m``, it forks a writer again and again, kills it at any moment, and looks at
what it left: whatever the writer was told had happened is there, and nothing by halves.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from governance import handlers
from governance.audit import Checkpoint
from governance.desk import Desk
from governance.handlers import Position
from governance.store import wal
from schemas.actions import BreakerAction
from schemas.errors import NotFound
from schemas.governance import Phase
from schemas.rules import RulePatch
from tests.desks import NOON, alert, desk_at, revert, trip

TOPIC = "breaker-actions"


def write(desk: Desk, number: int) -> None:
    """Do the *number*-th of many mixed writes."""
    match number % 6:
        case 0 | 1 | 2:
            position = Position(TOPIC, 0, number + 1)
            handlers.apply_actions(desk, [action(number)], position=position)
        case 3:
            handlers.resolve_event(desk, action(number - 1).id, by="anna")
        case 4:
            patch = RulePatch(condition=f"errorRate > 0.{number:03}1")
            handlers.patch_rule(desk, "High Error Rate", patch, by="anna")
        case _:
            handlers.roll_back(desk, Phase.L3, reason=f"write {number}", by="anna")


def action(number: int) -> BreakerAction:
    """Return what a judge decides as the *number*-th write."""
    at, kind = NOON + timedelta(hours=number), f"T{number % 5}"
    if number % 3 == 0:
        return trip(kind, decided_at=at)
    return alert(kind, decided_at=at) if number % 3 == 1 else revert(decided_at=at)


def keep_writing(url: str, number: int, told: int) -> None:
    """Write from *number* on; after each write say which it was, and what the audit head is."""
    wal.LIMIT = 200_000  # type: ignore[misc]  # often enough to be killed while pages are moved
    desk = desk_at(url)
    while True:
        try:
            write(desk, number)
        except NotFound:
            assert number % 6 == 3, "only what was to be resolved may be missing"
        head = handlers.show_audit_head(desk)
        os.write(told, f"{number} {head.seq} {head.hash}\n".encode())
        number += 1


def watch(child: int, said: BinaryIO, *, writes: int, chance: random.Random) -> list[str]:
    """Read what the writer says until it said enough; kill it a moment later; return all of it."""
    lines = [said.readline() for _ in range(writes)]
    time.sleep(chance.uniform(0, 0.02))  # a kill comes at any moment
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while select.select([said], [], [], 0)[0] and (line := said.readline()):
        lines.append(line)
    return [line.decode() for line in lines if line.endswith(b"\n")]


def check(url: str, head: Checkpoint) -> None:
    """Look at what a killed writer left; *head* is the last that it was told."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as direct:
        assert direct.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    desk = desk_at(url)
    assert handlers.verify_audit(desk, head).intact
    with desk.store.reading() as unit:
        after = unit.offsets.next_offset(TOPIC, 0) or 0
        assert not after or unit.events.is_known(action(after - 1).id)
        beyond = [number for number in range(after, after + 6) if number % 6 < 3]
        assert not any(unit.events.is_known(action(number).id) for number in beyond)
    desk.store.close()


def main(folder: str, kills: str, writes: str) -> None:
    """Let writers write and die, and check after each."""
    url, chance = f"sqlite:///{Path(folder) / 'governance.db'}", random.Random(kills)
    number, head = 0, Checkpoint(0, "")
    desk_at(url).store.close()
    for _ in range(int(kills)):
        here, there = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                keep_writing(url, number, there)
            finally:
                os._exit(1)
        os.close(there)
        with os.fdopen(here, "rb") as said:
            goal = chance.randint(1, max(1, 2 * int(writes) // int(kills) - 1))
            lines = watch(child, said, writes=goal, chance=chance)
        last, seq, found = lines[-1].split()
        number, head = int(last) + 1, Checkpoint(int(seq), found)
        check(url, head)
    sys.stdout.write(json.dumps({"kills": int(kills), "writes": number, "audit": head.seq}))


if __name__ == "__main__":
    main(*sys.argv[1:])
