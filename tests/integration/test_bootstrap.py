"""The brokers as people write them, and over IPv6: every client of a worker gets there."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.stage import Stage
from tests.integration.workers import Worker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@contextmanager
def forwarded_over_ipv6(kafka: str) -> Iterator[str]:
    """Yield an address on the IPv6 loopback that leads to *kafka*."""
    host, _, port = kafka.rpartition(":")

    class Forward(socketserver.BaseRequestHandler):
        """Passes bytes both ways."""

        def handle(self) -> None:
            """Connect, and pass on until one side is done."""
            with socket.create_connection((host, int(port))) as there:
                back = threading.Thread(target=_pass_on, args=(there, self.request), daemon=True)
                back.start()
                _pass_on(self.request, there)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        """Listens on ::1."""

        address_family = socket.AF_INET6
        daemon_threads = True
        block_on_close = False

    with Server(("::1", 0), Forward) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"[::1]:{server.server_address[1]}"
        server.shutdown()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy what *source* says to *target* until it has no more to say."""
    try:
        while said := source.recv(65_536):
            target.sendall(said)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has gone


@pytest.mark.parametrize("form", [' "PLAINTEXT://{}", ', "{ipv6}"])
def test_a_worker_finds_its_brokers_however_they_are_written(
    kafka: str, topic_prefix: str, tmp_path: Path, form: str
) -> None:
    """Topics, claim, consumer, producer and recovery: all of them read the same list."""
    with (
        forwarded_over_ipv6(kafka) as ipv6,
        Stage(kafka, topic_prefix, tmp_path) as stage,
    ):
        stage.change()
        written = form.format(kafka, ipv6=ipv6)
        worker = stage.worker(GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS=written)
        with worker:
            stage.fail("a", "b", "c", "d", "e")
            stage.wait(lambda: bool(stage.actions), worker)
            assert worker.lives == 1


@pytest.mark.parametrize("form", [",", "{}/", "::1:9092", "SASL_SSL://{}"])
def test_a_worker_that_cannot_use_them_says_so_at_once(
    kafka: str, tmp_path: Path, form: str
) -> None:
    """One line that names the variable, and a code after which nobody tries again."""
    more = {"GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS": form.format(kafka)}
    with Worker(kafka, "t.", "w0", tmp_path, more=more) as worker:
        assert worker.process is not None
        assert worker.process.wait(60) == 78
        assert "governance: GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS: " in worker.said()
        assert "Traceback" not in worker.said()
