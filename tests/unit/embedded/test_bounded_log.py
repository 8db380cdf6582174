"""The log of a child: whatever becomes of the file, the child is not held back."""

from __future__ import annotations

import os
from pathlib import Path

from embedded.bounded_log import LIMIT, BoundedLog


def test_a_full_disk_stops_no_child(tmp_path: Path) -> None:
    """More than a pipe holds is read and lost; its last lines are known, later ones are written."""
    path = tmp_path / "api.log"
    path.symlink_to("/dev/full")
    log = BoundedLog(path)
    reading, writing = os.pipe()
    log.follow(os.fdopen(reading, "rb"))
    with os.fdopen(writing, "wb") as child:
        child.write(b"no room for this\n" * 10_000 + b"the last\n")
        child.flush()
    assert log.tail(1) == "the last"
    path.unlink()
    reading, writing = os.pipe()
    log.follow(os.fdopen(reading, "rb"))
    with os.fdopen(writing, "wb") as child:
        child.write(b"here\n")
    log.close()

    assert path.read_text() == "here\n"


def test_two_files_of_bounded_size_are_kept(tmp_path: Path) -> None:
    """However much a child prints."""
    path = tmp_path / "api.log"
    log = BoundedLog(path, limit=1_000)
    reading, writing = os.pipe()
    log.follow(os.fdopen(reading, "rb"))
    with os.fdopen(writing, "wb") as child:
        child.write(b"".join(b"line %d\n" % number for number in range(1_000)))
    log.close()

    assert LIMIT > 1_000
    assert {file.name for file in tmp_path.iterdir()} == {"api.log", "api.log.1"}
    assert all(file.stat().st_size <= 1_000 for file in tmp_path.iterdir())
    assert path.read_text().endswith("line 999\n")
