"""The runbook's own commands, cut out of its code blocks and run by a shell as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
INSTALL = Path(__file__).parents[1] / "scripts" / "install_tools.sh"
HOME = "localhost:4007"
TOOLS = ("bash", "curl", "jq")

_FENCE = re.compile(r"^ *```bash\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Z_]+=")
_ADDRESS = re.compile(rf"http://{HOME}(/[^\s\"'|]*)")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the runbook: ``text`` as it stands, after the assignments it relies on."""

    line: int
    address: str
    assignments: str
    text: str

    def __str__(self) -> str:
        """Return what names the command in a test report."""
        return f"{self.line}:{self.address}"

    def script(self, *, placeholders: Mapping[str, str], port: int) -> str:
        """Return the command with the reader's part filled in; only the port may differ."""
        script = f"{self.assignments}\n{self.text}\n"
        for placeholder, value in placeholders.items():
            script = script.replace(placeholder, value)
        return script.replace(HOME, f"localhost:{port}")


def commands() -> Iterator[Command]:
    """Yield every command that asks the service, in the order of the runbook."""
    text = RUNBOOK.read_text(encoding="utf-8")
    for block in _FENCE.finditer(text):
        line = text.count("\n", 0, block.start()) + 2
        assignments: list[str] = []
        for offset, command in _split(block[1]):
            asked = _ADDRESS.search(command)
            if _ASSIGNMENT.match(command):
                assignments.append(command)
            elif asked:
                yield Command(line + offset, asked[1], "\n".join(assignments), command)


def _split(block: str) -> Iterator[tuple[int, str]]:
    """Yield each whole command of a block with the line that it begins on."""
    pending: list[str] = []
    for number, raw in enumerate(block.splitlines()):
        line = raw if pending else raw.lstrip()
        if not pending and (not line or line.startswith("#")):
            continue
        pending.append(line)
        text = "\n".join(pending)
        if _is_whole(text):
            yield number + 1 - len(pending), text
            pending = []


def _is_whole(text: str) -> bool:
    """Return whether a shell would run *text*, rather than wait for more."""
    if text.endswith("\\"):
        return False
    return subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True).returncode == 0


def install_tools() -> None:
    """Make sure that the runbook's own tools are there.

    Raises:
        AssertionError: they are not, and cannot be installed; says how a person can.
    """
    if all(shutil.which(tool) for tool in TOOLS):
        return
    done = subprocess.run([str(INSTALL)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(script: str, folder: Path) -> str:
    """Run *script* in *folder* and return what it printed.

    A refused request fails the script, as it fails the operator: curl is told so in its own
    configuration file, which leaves the command line as the runbook has it.

    Raises:
        AssertionError: a command of it failed.
    """
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "CURL_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout
