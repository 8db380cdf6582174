"""Every interface that a setting names is listened on, asked and shown alike, past any proxy."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import Request

import pytest

from api.auth.oidc import ProviderKeys
from api.server import listening
from embedded.narrator import Narrator
from embedded.probe import answer, api_address, ask, asked_address, question
from embedded.vacancy import check_ports
from schemas.errors import BadSetting
from schemas.settings import Settings, load_settings
from streams.exposition import serve
from streams.metrics import WorkerMetrics
from tests.ports import free_port, has_ipv6

HERE: Any = {"status": "healthy"}
NOWHERE = "203.0.113.7"
"""An address for documents: no machine has it."""


LOOPBACKS = ["127.0.0.1", "localhost", "127.8.8.8", "::ffff:127.0.0.1"]
EVERYWHERE = ["0.0.0.0"]
if has_ipv6():
    LOOPBACKS += ["::1", "[::1]"]
    EVERYWHERE += ["::"]


@pytest.fixture(autouse=True)
def _proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every client find a proxy in the environment that answers nobody."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY")


@contextmanager
def api_at(host: str) -> Iterator[Settings]:
    """Hold the API's port on *host*, and answer whatever is asked there."""
    auth = "token" if host in EVERYWHERE else "open"
    settings = load_settings(host=host, port=free_port(), auth=auth).check_safe()

    def reply(listener: socket.socket) -> None:
        body = json.dumps(HERE).encode()
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)

    with listening(settings) as listener:
        thread = Thread(target=reply, args=(listener,), daemon=True)
        thread.start()
        yield settings
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("host", [*LOOPBACKS, *EVERYWHERE])
def test_our_own_api_is_asked_directly_wherever_it_listens(host: str) -> None:
    """The probe of `up`, the narrator and the command line, with a dead proxy between."""
    with api_at(host) as settings:
        assert answer(f"{asked_address(settings)}/health") == HERE
        assert answer(f"{api_address(settings)}/health") == HERE
        assert Narrator(settings, lambda *_: None).unresolved() == HERE
        asked = question(settings, api_address(settings))
        with ask(asked, timeout=60, elsewhere=True) as found:
            assert json.load(found) == HERE


@pytest.mark.parametrize("host", [*LOOPBACKS, *EVERYWHERE])
def test_the_address_that_is_shown_can_be_pasted(host: str) -> None:
    """Pasted behind `curl`, it reaches the API: it is what `up` shows, brackets and all."""
    with api_at(host) as settings:
        url = f"{api_address(settings)}/docs"
        said = subprocess.run(
            ["curl", "--silent", "--noproxy", "*", url],
            capture_output=True,
            check=True,
        )
        assert json.loads(said.stdout) == HERE


def test_every_interface_is_of_both_kinds() -> None:
    """Who listens on :: is found by IPv4 too, as people expect who set it."""
    for host in EVERYWHERE:
        with api_at(host) as settings:
            assert answer(f"http://127.0.0.1:{settings.port}") == HERE
            assert host != "::" or answer(f"http://[::1]:{settings.port}") == HERE


def test_an_api_elsewhere_may_be_behind_the_proxy() -> None:
    """Only what somebody names with --url, and is not this machine, goes through it."""
    with pytest.raises(URLError, match="Connection refused"):
        ask(Request("http://api.example.com/health"), timeout=60, elsewhere=True)


@pytest.mark.parametrize("host", [*LOOPBACKS, *EVERYWHERE])
def test_a_worker_listens_wherever_it_is_told_to(host: str) -> None:
    """IPv6 like IPv4, and both where it is every interface."""
    host = load_settings(worker_host=host).worker_host
    server = serve(host, 0, registry=WorkerMetrics("x_").registry, health=lambda: HERE)
    try:
        for asked in {"0.0.0.0": ["127.0.0.1"], "::": ["::1", "127.0.0.1"]}.get(host, [host]):
            connection = HTTPConnection(asked, server.server_address[1], timeout=60)
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
            connection.close()
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("host", [NOWHERE, "no-such-host.invalid", "2001:db8::7"])
def test_an_interface_that_is_not_there_is_named(host: str) -> None:
    """Not the port is at fault: the API, the worker and `up` name the host's setting."""
    settings = Settings(
        host=host, port=free_port(), worker_host=host, worker_metrics_port=0, auth="token"
    )
    with pytest.raises(BadSetting, match=r"^HOST: .*name an interface"), listening(settings):
        pass
    with pytest.raises(BadSetting, match=r"^HOST: .*name an interface"):
        check_ports(settings)
    with pytest.raises(BadSetting, match=r"^GOVERNANCE_WORKER_HOST: .*name an interface"):
        check_ports(settings.model_copy(update={"host": "127.0.0.1"}))


@pytest.mark.parametrize("host", LOOPBACKS)
def test_a_taken_port_is_told_as_such_on_each(host: str) -> None:
    """By IPv6 as by IPv4."""
    with api_at(host) as settings, ExitStack() as second:
        with pytest.raises(BadSetting, match=r"^PORT: port \d+ on .* is taken"):
            check_ports(settings)
        with pytest.raises(BadSetting, match=r"^PORT: cannot listen on"):
            second.enter_context(listening(settings))


def test_keys_of_a_provider_on_this_machine_come_through_no_proxy() -> None:
    """Without https:// a proxy could put its own keys there; others may be outside a company."""
    with api_at("127.0.0.1") as settings:
        url = f"http://127.0.0.1:{settings.port}/keys"
        with ProviderKeys(url)._opener.open(url, timeout=60) as found:
            assert json.load(found) == HERE
    url = "https://login.example.com/keys"
    with pytest.raises(URLError, match="Connection refused"):
        ProviderKeys(url)._opener.open(url, timeout=60)
