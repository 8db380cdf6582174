"""What a machine knows of a process: alive, stopped, gone, or somebody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from governance.leadership.lease import Holder, ProcessState
from governance.leadership.process import address_of, end, state_of, this_holder
from tests.desks import settings_for

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PRINT = (
    "from governance.leadership.process import this_holder as h; from datetime import *;"
    "from schemas.settings import Settings as S; import sys;"
    "print(h(S(_env_file=None), datetime.now(UTC)).model_dump_json(by_alias=True), flush=True);"
    "sys.stdin.read()"
)


@pytest.fixture
def other() -> Iterator[tuple[Holder, subprocess.Popen[str]]]:
    """Return another process of this machine, as it would hold the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRINT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield Holder.model_validate_json(process.stdout.readline()), process
    process.kill()
    process.communicate()


def becomes(holder: Holder, state: ProcessState) -> None:
    """Wait until the machine says so: a signal takes a moment."""
    deadline = time.monotonic() + 30
    while state_of(holder) is not state:
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_process_is_seen_running_stopped_and_gone(
    other: tuple[Holder, subprocess.Popen[str]],
) -> None:
    """One that nobody has waited for yet is gone all the same."""
    holder, process = other
    assert state_of(holder) is ProcessState.RUNNING
    os.kill(process.pid, signal.SIGSTOP)
    becomes(holder, ProcessState.STOPPED)
    os.kill(process.pid, signal.SIGCONT)
    becomes(holder, ProcessState.RUNNING)
    assert end(holder)
    becomes(holder, ProcessState.GONE)
    process.wait()
    assert state_of(holder) is ProcessState.GONE
    assert not end(holder)


def test_another_process_under_the_same_number_is_not_taken_for_it() -> None:
    """Numbers are given again; when it was started tells them apart."""
    own = this_holder(settings_for(), NOW)
    assert state_of(own) is ProcessState.RUNNING
    assert state_of(own.model_copy(update={"started": own.started - 1})) is ProcessState.GONE


@pytest.mark.parametrize("place", ["", "another boot pid:[1]"])
def test_nothing_is_known_of_other_machines(place: str) -> None:
    """Nor of other containers, nor of the time before a boot: there it may be alive."""
    own = this_holder(settings_for(), NOW)
    assert state_of(own.model_copy(update={"place": place})) is ProcessState.UNKNOWN


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"host": "127.0.0.1", "port": 4010}, "http://127.0.0.1:4010"),
        ({"host": "::1"}, "http://[::1]:4007"),
        ({"advertised_url": "https://governance.example"}, "https://governance.example"),
    ],
)
def test_the_address_is_where_others_reach_us(settings: dict[str, object], address: str) -> None:
    """As it is set, or made of the interface and the port."""
    assert address_of(settings_for(**settings)) == address
