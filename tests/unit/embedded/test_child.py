"""A child of the supervisor: its output is kept, its ends are noticed, it never outlives us."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from embedded.bounded_log import BoundedLog
from embedded.child import LONGEST_PAUSE, STEADY, Child

SLEEP = ["-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)",
]
END = ["-c", "import sys; print('so long'); sys.exit(70)"]

LAUNCHER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from embedded.child import Child
child = Child("c", ["-c", "import time; time.sleep(600)"], log=Path(sys.argv[1]) / "c.log",
              starter=ThreadPoolExecutor(1), environment={})
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""

Make = Callable[[list[str]], Child]


class Watch:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def watch() -> Watch:
    """Return the clock of the children that `make` makes."""
    return Watch()


@pytest.fixture
def make(tmp_path: Path, watch: Watch) -> Iterator[Make]:
    """Return what makes a child, and kill all of them afterwards."""
    children: list[Child] = []
    with ThreadPoolExecutor(1) as starter:

        def made(command: list[str]) -> Child:
            log = tmp_path / "logs" / "c.log"
            child = Child("c", command, log=log, starter=starter, environment={}, now=watch)
            children.append(child)
            return child

        yield made
        for child in children:
            child.kill()


def test_a_child_that_is_asked_leaves(make: Make) -> None:
    """Stop asks first, and says that the child left by itself."""
    child = make(SLEEP)
    child.start()
    assert child.is_running
    assert child.stop(timedelta(seconds=60))
    assert not child.is_running


def test_a_child_that_does_not_leave_is_killed(make: Make) -> None:
    """Patience has an end, and the caller hears of it."""
    child = make(STUBBORN)
    child.start()
    wait_until(lambda: child.log.exists())
    assert not child.stop(timedelta(seconds=0.2))
    assert not child.is_running


def test_what_a_child_prints_is_in_its_log(make: Make) -> None:
    """Standard output and errors go to the file and into the last words."""
    child = make(END)
    child.start()
    wait_until(lambda: not child.is_running)
    assert child.last_words() == "so long"
    assert child.log.read_text() == "so long\n"


def test_a_child_that_ends_is_started_again_later_each_time(make: Make, watch: Watch) -> None:
    """Half a second, then one, then two, up to half a minute; its status is said once."""
    child = make(END)
    child.start()
    pauses = []
    for _ in range(9):
        wait_until(lambda: not child.is_running)
        assert child.check() == 70
        assert child.check() is None
        pauses.append(child.pause)
        watch.now += child.pause
        child.check()
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == LONGEST_PAUSE.total_seconds()


def test_a_child_that_was_well_is_started_again_at_once(make: Make, watch: Watch) -> None:
    """After a minute without trouble earlier ends are forgiven."""
    child = make(END)
    for _ in range(3):
        child.start()
        wait_until(lambda: not child.is_running)
        child.check()
    child.start()
    wait_until(lambda: not child.is_running)
    watch.now += STEADY.total_seconds()
    child.check()
    assert child.pause == 0.5


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_does_not_outlive_us(tmp_path: Path, end: signal.Signals) -> None:
    """However the supervisor ends, its children end too."""
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        pid = int(launcher.stdout.readline())
        launcher.send_signal(end)
    wait_until(lambda: not is_alive(pid))


def test_a_log_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    """The file moves aside when it is full, and only one old one is kept."""
    log = BoundedLog(tmp_path / "c.log", limit=1_000)
    with subprocess.Popen(
        [sys.executable, "-c", "for n in range(500): print(f'line {n:4}')"], stdout=subprocess.PIPE
    ) as talker:
        assert talker.stdout is not None
        log.follow(talker.stdout)
        talker.wait()
        log.close()
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ["c.log", "c.log.1"]
    assert all(path.stat().st_size <= 1_000 for path in kept)
    assert log.tail(1) == "line  499"


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(holds: Callable[[], bool]) -> None:
    """Return when *holds* becomes true; fail after a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
