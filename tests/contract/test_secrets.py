"""Secrets: planted in every place that takes one, and looked for in everything that is told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.testclient import TestClient

from api.app import create_app
from governance.service import StateService
from schemas.settings import load_settings
from tests.ports import free_port
from tests.spelled import secret_of

COMMAND: Final = Path(sys.executable).with_name("governance")
PASSWORD: Final = "canary-password-of-the-database"
OURS: Final = "canary-token-of-the-command-line"
WORKERS: Final = "canary-token-of-the-worker-of-forty-characters"
WRONG: Final = "gov_0123456789abcdef_" + "canary-wrong".ljust(43, "x")
UNREACHABLE: Final = f"postgresql://me:{PASSWORD}@127.0.0.1:1/x"

KEY: Final = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
FOREIGN: Final = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
STATE: Final = "/api/governance/state"


@pytest.fixture(scope="module")
def keys() -> Iterator[str]:
    """Return where an identity provider on this machine publishes its keys."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(KeySet([KEY]).as_dict(private=False)).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jwks"
    server.shutdown()
    thread.join()
    server.server_close()


def _signed(key: RSAKey, *, audience: str) -> str:
    """Return a JWT for a lead, signed by *key*."""
    claims = {"iss": "https://id.example", "aud": audience, "sub": "anna", "roles": ["tech-lead"]}
    return jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, "exp": time.time() + 600}, key)


def _run(folder: Path, *arguments: str, **variables: str) -> str:
    """Run the command, and return all that it says."""
    ended = subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=_environment(variables),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ended.stdout + ended.stderr


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """Return *variables* with every secret that an installation may hold, at the chattiest."""
    return {
        "PATH": os.environ["PATH"],
        "NO_COLOR": "1",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "GOVERNANCE_TOKEN": OURS,
        "GOVERNANCE_WORKER_TOKEN": WORKERS,
        "LOG_LEVEL": "debug",
        **variables,
    }


def _logs(folder: Path) -> str:
    """Return every line of the logs."""
    return "".join(path.read_text("utf-8") for path in sorted(folder.glob("logs/*")))


def test_an_unreachable_database_tells_no_password(tmp_path: Path) -> None:
    """Neither the process that ends for it, nor its log, nor the settings as they are shown."""
    said = [
        _run(tmp_path, *command, DATABASE_URL=UNREACHABLE)
        for command in (
            ("api", "--assume-topics"),
            ("config", "show"),
            ("config", "show", "--json"),
            ("token", "list"),
        )
    ]
    everything = "".join([*said, _logs(tmp_path)])

    assert "port 1 failed" in said[0]
    assert "********" in said[1]
    assert re.findall(f"{PASSWORD}|{OURS}|{WORKERS}|Traceback", everything) == []


def test_a_service_without_its_database_tells_no_password(tmp_path: Path) -> None:
    """It goes on answering, and says why it cannot; the reason is without secrets."""
    settings = load_settings(
        database_url=UNREACHABLE,
        kafka_bootstrap_servers="127.0.0.1:1",
        auth="token",
        worker_token=WORKERS,
        log_file=tmp_path / "log",
    )
    service = StateService(settings)
    with TestClient(create_app(service, settings)) as client:
        answers = [
            client.get(path, headers={"Authorization": f"Bearer {WRONG}"})
            for path in ("/health", "/ready", "/metrics", STATE)
        ]
        answers += [client.get(path) for path in ("/health", "/ready", "/metrics", STATE)]
    service.store.close()

    assert {answer.status_code for answer in answers} >= {200, 401, 503}
    told = "".join(answer.text for answer in answers)
    assert re.findall(f"{PASSWORD}|{WORKERS}|canary|Traceback", told) == []


class Running:
    """A state service as a process of its own, and all that it has told."""

    def __init__(self, folder: Path, port: int, variables: dict[str, str]) -> None:
        self.folder = folder
        self.port = port
        self.told: list[str] = []
        self.process = subprocess.Popen(
            [COMMAND, "api", "--assume-topics"],
            cwd=folder,
            env=_environment({**variables, "PORT": str(port)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, path: str, proof: str | None = None, method: str = "GET") -> int:
        """Return the status of an answer, which is remembered with its headers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {} if proof is None else {"Authorization": proof}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            self.told += [answer.read().decode(), str(answer.getheaders())]
            return answer.status
        except ConnectionRefusedError:
            return 0
        finally:
            connection.close()

    def stop(self) -> None:
        """End it, and remember its last words."""
        self.process.send_signal(signal.SIGTERM)
        self.told.append(self.process.communicate(timeout=60)[0])


def test_no_proof_is_repeated(tmp_path: Path, keys: str) -> None:
    """Good and wrong tokens and JWTs are in no answer, no metric, no log and no table."""
    variables = {
        "GOVERNANCE_AUTH": "oidc",
        "GOVERNANCE_OIDC_ISSUER": "https://id.example",
        "GOVERNANCE_OIDC_AUDIENCE": "governance",
        "GOVERNANCE_OIDC_JWKS_URL": keys,
    }
    running = Running(tmp_path, free_port(), variables)
    try:
        deadline = time.monotonic() + 120
        while running.ask("/health") != 200:
            assert running.process.poll() is None and time.monotonic() < deadline
            threading.Event().wait(0.1)
        made = _run(
            tmp_path,
            "token",
            "create",
            "robot",
            "--role",
            "service",
            "--scope",
            "read",
            **variables,
        )
        (robot,) = re.findall(r"gov_[0-9a-f]{16}_[\w-]{43}", made)
        good = _signed(KEY, audience="governance")
        wrong = [_signed(FOREIGN, audience="governance"), _signed(KEY, audience="elsewhere"), WRONG]
        statuses = [
            running.ask(path, f"Bearer {proof}")
            for proof in (robot, good, *wrong)
            for path in (STATE, "/metrics", "/api/circuit-breaker/events/none")
        ]
        running.ask(STATE, f"Basic {OURS}")
        for path in ("/health", "/ready", "/docs"):
            running.ask(path, f"Bearer {robot}")
        here = {**variables, "PORT": str(running.port)}
        running.told += [_run(tmp_path, "events", **here), _run(tmp_path, "token", "list", **here)]
    finally:
        running.stop()
    tables = b"".join(path.read_bytes() for path in tmp_path.glob("var/*.db*"))
    everything = "".join([*running.told, _logs(tmp_path), tables.decode("latin-1")])
    proofs = [secret_of(robot), OURS, WORKERS, WRONG, "canary-wrong"]
    proofs += [part for one in (good, *wrong[:2]) for part in one.split(".")[1:]]

    assert statuses == [200, 200, 404] * 2 + [401] * 9
    assert "token.created" in everything and "serving" in everything
    assert [proof for proof in proofs if proof in everything] == []
