"""Clients that let us wait: each is ended in time, and thousands of them shut nobody out."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from api.connections import MOST
from schemas.descriptors import raise_limit
from tests.served import RUN, Served, served

KILL = "/api/kill-switch"
BACK = "/api/governance/rollback"
DOWN = {"targetPhase": "L3", "reason": "a precaution"}
DEADLINE = 10.0
SLACK = 5.0
"""Seconds that a machine which others keep busy may be late."""
POST = b"POST /api/kill-switch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HEADERS = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = POST + b"Content-Length: 20000\r\n\r\n{"
TOO_LARGE = POST + b"Content-Length: 200000\r\n\r\n{"
WHOLE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
FEW = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)); {RUN}"
"""A server that may have no more descriptors than most systems give by themselves."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a running API."""
    with served(tmp_path_factory.mktemp("running")) as running:
        yield running


@pytest.fixture
def poor(tmp_path: Path) -> Iterator[Served]:
    """Return a running API with few descriptors."""
    with served(tmp_path, run=("-c", FEW)) as running:
        yield running


def _connect(running: Served) -> socket.socket:
    """Return a connection that does not wait."""
    port = int(running.url.rpartition(":")[2])
    made = socket.create_connection(("127.0.0.1", port), timeout=60)
    made.setblocking(False)
    return made


def _is_over(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection; what it said before is read."""
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def _drip(connection: socket.socket) -> None:
    """Send one more byte, if anybody is there."""
    try:
        connection.send(b"x")
    except OSError:
        return


KINDS: dict[str, tuple[bytes, bool]] = {
    "says nothing": (b"", False),
    "stops in its headers": (HEADERS, False),
    "drips headers": (HEADERS, True),
    "stops in its body": (BODY, False),
    "drips its body": (BODY, True),
    "goes on with a body that was refused": (TOO_LARGE, True),
    "drips a second request": (WHOLE + HEADERS, True),
    "was answered": (WHOLE, False),
}
"""What a slow client begins with, and whether it sends a byte now and then."""


def test_no_client_lets_us_wait(running: Served) -> None:
    """Whatever part of a request is missing, ten seconds after its begin the connection ends."""
    with ExitStack() as held:
        slow = {name: held.enter_context(_connect(running)) for name in KINDS}
        for name, (begin, _) in KINDS.items():
            slow[name].send(begin)
        began = time.monotonic()
        while slow and time.monotonic() - began < DEADLINE + SLACK:
            time.sleep(0.2)
            for name in [name for name, connection in slow.items() if _is_over(connection)]:
                del slow[name]
            for name in slow:
                if KINDS[name][1]:
                    _drip(slow[name])
        assert not slow


def test_who_is_slow_is_told_so(running: Served) -> None:
    """The status is that of RFC 9110 for it."""
    with _connect(running) as slow:
        slow.setblocking(True)
        slow.sendall(HEADERS)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_who_takes_no_answers_is_ended(running: Served) -> None:
    """A client that asks for more than fits on the way and reads nothing holds nothing for long."""
    with _connect(running) as deaf:
        deaf.send(100 * b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 3 * (DEADLINE + SLACK):
                deaf.send(b"x")
                time.sleep(0.2)


def test_a_stream_outlives_the_deadline(running: Served) -> None:
    """Who follows what happens waits for us, and not we for them."""
    with (
        running.client() as client,
        client.stream("GET", f"{running.url}/api/stream", timeout=60) as answer,
    ):
        lines = answer.iter_lines()
        assert any(line == "event: governance.state" for line in lines)
        time.sleep(DEADLINE + 3)
        assert client.post(BACK, json=DOWN).status_code == 200
        assert any(line == "event: governance.state" for line in lines)


def _fill(running: Served, begin: bytes, count: int, held: ExitStack) -> list[socket.socket]:
    """Open *count* connections that begin so; whatever we hold is let go at the end."""
    made = []
    for _ in range(count):
        connection = held.enter_context(_connect(running))
        connection.send(begin)
        made.append(connection)
    return made


def _descriptors(running: Served) -> int:
    """Return how many descriptors the process has open."""
    return sum(1 for _ in Path(f"/proc/{running.process.pid}/fd").iterdir())


def _times(ask: Callable[[], int], count: int) -> list[float]:
    """Return how long each of *count* answers took, the shortest first; all were good."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        assert ask() == 200
        took.append(time.monotonic() - began)
    return sorted(took)


def test_three_thousand_slow_clients_shut_nobody_out(poor: Served, tmp_path: Path) -> None:
    """Everybody is answered, the descriptors stay within the limit, and the log stays small."""
    raise_limit()
    with ExitStack() as held:
        for begin, count in ((b"", 2_000), (HEADERS, 500), (BODY, 500)):
            crowd = _fill(poor, begin, count, held)
            health = _times(lambda: httpx2.get(poor.url + "/health", timeout=60).status_code, 50)
            kill = _times(lambda: httpx2.post(poor.url + KILL, timeout=60).status_code, 5)
            assert health[-1] < DEADLINE
            assert kill[-1] < DEADLINE
            assert _descriptors(poor) < 700
            for connection in crowd:
                _drip(connection)
    assert (tmp_path / "governance.log").stat().st_size < 1024 * 1024


def test_a_crowd_is_bounded_where_there_are_descriptors_enough(running: Served) -> None:
    """Somebody who opens thousands pushes out the oldest of their own."""
    raise_limit()
    with ExitStack() as held:
        crowd = _fill(running, HEADERS, MOST + 500, held)
        assert _times(lambda: httpx2.get(running.url + "/health", timeout=60).status_code, 3)
        assert _descriptors(running) < MOST
        assert _is_over(crowd[0])
        assert not _is_over(crowd[-1])
