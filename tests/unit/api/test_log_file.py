"""The log file: no line is lost when it is moved away, and people find it where they look."""

from __future__ import annotations

import errno
import gzip
import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from api.log_file import LogFile, settle
from api.log_throttle import AT_ONCE
from api.logs import start_logs
from api.server import pid_file
from schemas.errors import BadSetting
from schemas.settings import Settings
from tests.e2e.runbook import blocks

ROTATION = 466
"""The runbook's line."""
ROTATIONS = 100
ROOT = os.geteuid() == 0
NOBODY = 65534
"""Whose the folder is where root runs the tests."""


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every line of the log and of what it was rotated into."""
    for packed in folder.glob("governance.log.*.gz"):
        yield from map(json.loads, gzip.decompress(packed.read_bytes()).splitlines())
    yield from map(json.loads, (folder / "governance.log").read_bytes().splitlines())


def test_a_hundred_rotations_lose_no_line(tmp_path: Path) -> None:
    """The runbook's block, a hundred times in its order, while a thousand lines a second come.

    A line may be there twice, if it was written while the file was moved away.
    """
    home = tmp_path / "services" / "governance"
    home.mkdir(parents=True)
    block = blocks()[ROTATION].text
    assert block.count("$(date +%Y%m%d)") == 2
    script = block.replace("$(date +%Y%m%d)", "$day")
    command = [sys.executable, "-m", "tests.unit.api.numbered_lines", f"{home}/governance.log"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert writing.stdout.readline() == b"ready\n"
        (home / "governance.pid").write_text(str(writing.pid))
        rotate = "".join(f"(day={day}; {script})\n" for day in range(ROTATIONS))
        subprocess.run(["bash", "-euc", rotate], cwd=tmp_path, check=True, timeout=200)
        writing.communicate(timeout=60)
    assert writing.returncode == 0

    found = list(lines(home))
    written = Counter((line["writer"], line["number"]) for line in found if line["event"] == "line")
    last = {line["writer"]: line["number"] for line in found if line["event"] == "last"}
    wanted = {(writer, number) for writer, end in last.items() for number in range(end)}
    assert len(last) == 4
    assert wanted - written.keys() == set()
    assert len(list(home.glob("governance.log.*.gz"))) == ROTATIONS
    assert written.total() - len(written) <= ROTATIONS


def test_a_line_that_came_too_late_is_written_again(tmp_path: Path) -> None:
    """The file is moved away and gone in the very moment between looking and writing."""
    path = tmp_path / "governance.log"
    file = LogFile(path)
    file.setFormatter(Unlinking(path))
    file.emit(logging.makeLogRecord({"msg": "here"}))
    file.close()

    assert path.read_text() == "here\n"


def test_a_file_that_cannot_be_opened_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever logs goes on, standard error has the problem, and later lines are written again."""
    path = tmp_path / "gone" / "governance.log"
    file = LogFile(path)
    path.unlink()
    path.parent.rmdir()
    file.let_go()
    file.emit(logging.makeLogRecord({"msg": "lost"}))
    path.parent.mkdir()
    file.emit(logging.makeLogRecord({"msg": "here"}))
    file.close()

    assert path.read_text() == "here\n"
    assert "FileNotFoundError" in capsys.readouterr().err


def test_a_stream_that_cannot_be_closed_stops_nobody(tmp_path: Path) -> None:
    """Its end fails on a full disk, say: whoever logs goes on, in a new file."""
    path = tmp_path / "governance.log"
    file = LogFile(path)
    assert file.stream is not None
    kept = file.stream
    file.stream = Unclosable(kept.detach())
    path.unlink()
    for said in ("one", "two"):
        file.emit(logging.makeLogRecord({"msg": said}))
    file.close()

    assert path.read_text() == "one\ntwo\n"


def test_a_full_disk_is_not_told_of_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard error may be on that disk too: it has the trouble some times, and not each time."""
    path = tmp_path / "governance.log"
    path.symlink_to("/dev/full")
    file = LogFile(path)
    for _ in range(1_000):
        file.emit(logging.makeLogRecord({"msg": "no room"}))
    path.unlink()
    file.emit(logging.makeLogRecord({"msg": "here"}))
    file.close()

    assert 0 < capsys.readouterr().err.count("No space left") <= 2 * AT_ONCE
    assert path.read_text() == "here\n"


class Unclosable(TextIOWrapper):
    """A file that is closed with an error, as some disks do it."""

    def close(self) -> None:
        """Close it, and fail."""
        super().close()
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """Return where the log is, and where it is looked for."""
    return tmp_path / "governance.log", tmp_path / "logs" / "governance.log"


def test_the_log_is_found_where_people_look(place: tuple[Path, Path]) -> None:
    """A link leads there, before the file is there and after the folder was moved."""
    path, link = place

    assert settle(path, link) is None
    assert settle(path, link) is None
    path.write_text("a line\n")
    moved = path.parent.rename(path.parent.with_name("moved"))
    assert (moved / "logs" / "governance.log").read_text() == "a line\n"


def test_what_an_older_version_wrote_goes_on(place: tuple[Path, Path]) -> None:
    """Its file is moved to the new place, where the next line follows its last one."""
    path, link = place
    link.parent.mkdir()
    link.write_text("of old\n")
    path.touch()

    assert settle(path, link) is None
    assert (path.read_text(), link.is_symlink()) == ("of old\n", True)


def test_what_is_in_the_way_is_left_alone(place: tuple[Path, Path]) -> None:
    """Two files that both hold something are nobody's to merge: the link's place is named."""
    path, link = place
    link.parent.mkdir()
    link.write_text("of old\n")
    path.write_text("of somebody\n")

    assert settle(path, link) == f"{link} is another file; move it away"
    assert (path.read_text(), link.read_text()) == ("of somebody\n", "of old\n")


def test_the_folder_of_logs_may_be_elsewhere(place: tuple[Path, Path]) -> None:
    """Where ``logs`` is itself a link, ours leads back from where it really is."""
    path, link = place
    elsewhere = path.parent / "on" / "another" / "disk"
    elsewhere.mkdir(parents=True)
    link.parent.symlink_to(elsewhere)

    assert settle(path, link) is None
    path.write_text("a line\n")
    assert (elsewhere / "governance.log").read_text() == "a line\n"


class Unlinking(logging.Formatter):
    """Lets somebody else take the file away, once, when the line is already on its way to it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._done = False

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if not self._done:
            self._path.unlink()
            self._done = True
        return super().format(record)


def test_a_log_that_root_touched_is_written_all_the_same(own_folder: Path) -> None:
    """The runbook's `touch`, typed by root, leaves an empty file that the service may not write."""
    log = own_folder / "governance.log"
    handler = LogFile(log)
    try:
        log.rename(own_folder / "governance.log.1")
        log.touch(mode=0o400)
        if ROOT:
            os.chown(log, 0, 0)
        with acting_as_service():
            handler.emit(logging.makeLogRecord({"msg": "said"}))
    finally:
        handler.close()

    assert log.read_text() == "said\n"


def test_what_somebody_wrote_is_not_replaced(own_folder: Path) -> None:
    """A file that is not ours and holds something is left alone."""
    log = own_folder / "governance.log"
    log.write_text("theirs\n")
    log.chmod(0o400)

    with acting_as_service(), pytest.raises(PermissionError):
        LogFile(log)
    assert log.read_text() == "theirs\n"


def test_a_folder_where_we_may_not_write_is_a_wrong_setting(own_folder: Path) -> None:
    """The log and the PID file are named by their variables, with the right that is missing."""
    closed = own_folder / "closed"
    closed.mkdir(mode=0o555)
    with acting_as_service():
        with pytest.raises(BadSetting, match=r"^GOVERNANCE_LOG_FILE: .*this user may not write it"):
            start_logs(Settings(log_file=closed / "governance.log"))
        with (
            pytest.raises(BadSetting, match=r"^GOVERNANCE_PID_FILE: .*this user may not write it"),
            pid_file(closed / "governance.pid"),
        ):
            pass


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """Return a folder that is the service's, below one that everybody may enter."""
    with TemporaryDirectory(dir="/tmp") as made:
        if ROOT:
            os.chown(made, NOBODY, NOBODY)
        yield Path(made)


@contextmanager
def acting_as_service() -> Iterator[None]:
    """Have no more rights than a service has: root lets go of its own meanwhile."""
    if ROOT:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if ROOT:
            os.seteuid(0)
