"""Every command speaks on every terminal: in its letters, with other signs where it has none."""

from __future__ import annotations

import codecs
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from cli.encodings import SIGNS, can_show, speak_any
from embedded.exits import Exit

COMMAND: Final = Path(sys.executable).with_name("governance")
TYPE: Final = "größer ✓ 焙煎 🔥"
RULE: Final = {
    "name": TYPE,
    "enabled": True,
    "condition": "errorRate ≥ 5%",
    "window": "5m",
    "action": "alert_only",
    "alertSeverity": "low",
}
STATE: Final = {
    "currentPhase": "L3",
    "daysSincePhaseStart": 2,
    "commandWhitelist": [TYPE, "half \ud83d"],
    "pausedCommandTypes": [],
    "autonomyEpoch": 7,
}
TERMINALS: Final = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "koi8-r:strict"},
    {"PYTHONIOENCODING": "shift_jis"},
    {"PYTHONIOENCODING": "utf-8"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LANG": "de_DE.ISO-8859-1"},
)


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Return the address of an API that answers in every script."""
    answers: dict[str, Any] = {
        "/api/governance/state": STATE,
        "/health": {"role": "active"},
        "/api/circuit-breaker/rules": [RULE],
        "/api/circuit-breaker/events/unresolved": [],
        "/api/governance/joint-acts": [],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in answers else 503)
            self.end_headers()
            body = answers.get(self.path, {"detail": f"not now: {TYPE}"})
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(
    folder: Path, terminal: dict[str, str], *arguments: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run the command on a *terminal*, in a folder whose name is beyond ASCII."""
    place = folder / "Rösterei, Halle 2 ✓"
    place.mkdir(exist_ok=True)
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=place,
        input=given,
        env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **terminal},
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("terminal", TERMINALS, ids=lambda terminal: ",".join(terminal.values()))
def test_every_command_speaks_on_every_terminal(
    tmp_path: Path, api: str, terminal: dict[str, str]
) -> None:
    """No letter ends a command, on the output or beside it, and what can be shown is."""
    encoding = terminal.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    bad = json.dumps({"id": "e", "kind": TYPE}, ensure_ascii=False).encode()
    told = [
        run(tmp_path, terminal, "state", "--url", api),
        run(tmp_path, terminal, "rules", "--url", api),
        run(tmp_path, terminal, "events", "--all", "--url", api),
        run(tmp_path, terminal, "up", "--help"),
        run(tmp_path, terminal, "produce", "-", given=bad),
        run(tmp_path, {**terminal, "GOVERNANCE_CYCLE_TIMEZONE": TYPE}, "config", "show"),
    ]
    for ended in told:
        assert b"Traceback" not in ended.stderr + ended.stdout, ended.stderr.decode("latin-1")
        (ended.stdout + ended.stderr).decode(encoding)
        assert ended.stdout + ended.stderr
    assert [ended.returncode for ended in told[:2]] == [Exit.DONE] * 2
    if "PYTHONIOENCODING" in terminal:
        shown = "größer" if encoding in ("utf-8", "latin-1") else "gr"
        assert shown in told[1].stdout.decode(encoding)


@pytest.mark.parametrize("terminal", TERMINALS, ids=lambda terminal: ",".join(terminal.values()))
def test_json_is_exact_on_every_terminal(
    tmp_path: Path, api: str, terminal: dict[str, str]
) -> None:
    """A program reads the names that there are, and not question marks."""
    encoding = terminal.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    state = run(tmp_path, terminal, "state", "--json", "--url", api)
    assert json.loads(state.stdout.decode(encoding)) == STATE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp437"])
def test_our_own_signs_have_plain_ones(encoding: str) -> None:
    """A tick is a plus where there is no tick; a name's letters are question marks."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    speak_any(stream)
    stream.write("✓ größer → … 焙 \ud83d")
    stream.flush()
    shown = raw.getvalue().decode(encoding)
    if encoding == "ascii":
        assert shown == "+ gr??er -> ... ? ?"
    assert shown.startswith("✓" if encoding == "utf-8" else "+")
    assert shown.endswith("?")
    assert can_show("plain", stream)
    assert can_show("✓", stream) is (encoding == "utf-8")


def test_every_plain_sign_is_plain() -> None:
    """What stands for a sign can be shown everywhere, and nothing else of the codec is ours."""
    assert "".join(SIGNS.values()).isascii()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", "governance-signs")
    with pytest.raises(LookupError):
        codecs.lookup("governance-other")
