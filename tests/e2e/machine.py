"""The machine that the runbook's commands see: this one, but for a few places of our own.

    /backups, /etc/prometheus     folders of the test
    /etc/passwd, /etc/group       with an ``app``, and an operator whose home is the test's
    bin/systemctl                 a stand-in: systemd cannot run here
    everything else               as it is: programs, network, processes

bubblewrap shows it to a command, as root or as anybody else; nothing outside is touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Final

INSTALL: Final = Path(__file__).parents[1] / "scripts" / "install_tools.sh"

APP_UID: Final = 64_007 if os.getuid() == 0 else os.getuid()
"""Who ``app`` is: somebody else where we may give files away, else ourselves."""

SYSTEMCTL: Final = """#!/bin/bash
# `systemctl restart governance`, as systemd does it for a service with Restart=always: TERM, and
# back when the process is gone. Who starts it again is `governance up`.
set -euo pipefail
[ "$*" = "restart governance" ]
pid=$(cat services/governance/governance.pid)
kill -TERM "$pid"
exec tail --pid="$pid" -f /dev/null
"""

CURLRC: Final = "fail-with-body\nsilent\nshow-error\n"
"""A refused request fails the command, as it fails the operator."""

SQLITERC: Final = ".timeout 10000\n"
"""The operator's SQL waits for the service's, as `docs/operations.md` advises."""

_OURS: Final = {"passwd", "group", "prometheus"}


class Machine:
    """A machine for commands, in *folder*; ``/etc/prometheus`` is *prometheus*."""

    def __init__(self, folder: Path, *, prometheus: Path) -> None:
        self.backups = folder / "backups"
        self._home = folder / "home"
        self._bin = folder / "bin"
        self._etc = folder / "etc"
        self._prometheus = prometheus
        for place in (self.backups, self._home, self._bin, self._etc, self._etc / "prometheus"):
            place.mkdir(parents=True)
        self._write_files()

    def run(self, script: str, *, cwd: Path, patience: float = 180) -> str:
        """Run *script* as if it was typed, all of which must succeed; return what it printed.

        A program that the script starts may read what follows, as ``sqlite3`` does.
        """
        done = subprocess.run(
            self._shell(cwd), input=script.encode(), capture_output=True, timeout=patience
        )
        printed = done.stdout.decode()
        assert done.returncode == 0, f"{script}\n{printed}\n{done.stderr.decode()}"
        return printed

    def follow(self, script: str, *, cwd: Path, until: str) -> str:
        """Run a *script* that never ends until it has printed *until*; return what it printed."""
        with subprocess.Popen(
            self._shell(cwd), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write(script.encode())
            running.stdin.close()
            printed = ""
            for line in running.stdout:
                printed += line.decode()
                if until in printed:
                    break
            os.killpg(running.pid, signal.SIGTERM)
        assert until in printed, printed
        return printed

    def _shell(self, cwd: Path) -> list[str]:
        """Return the command of a shell that stops at the first failure."""
        path = f"{self._bin}:{os.environ['PATH']}"
        return [
            *("bwrap", "--die-with-parent", *_root()),
            *("--bind", "/etc", "/.etc", "--bind", str(self._etc), "/etc"),
            *("--bind", str(self._prometheus), "/etc/prometheus"),
            *("--bind", str(self.backups), "/backups"),
            *("--setenv", "HOME", str(self._home), "--setenv", "PATH", path),
            *("--chdir", str(cwd), "bash", "-euo", "pipefail", "-s"),
        ]

    def _write_files(self) -> None:
        """Write what programs read about their user, and a link to everything else in /etc."""
        (self._home / ".curlrc").write_text(CURLRC)
        (self._home / ".sqliterc").write_text(SQLITERC)
        (self._bin / "systemctl").write_text(SYSTEMCTL)
        (self._bin / "systemctl").chmod(0o755)
        home, group = self._home, APP_UID if os.getuid() == 0 else os.getgid()
        operator = f"operator:x:{os.getuid()}:{os.getgid()}::{home}:/bin/bash\n"
        app = f"app:x:{APP_UID}:{group}::/:/bin/false\n"
        (self._etc / "passwd").write_text(f"{operator}{Path('/etc/passwd').read_text()}{app}")
        (self._etc / "group").write_text(f"{Path('/etc/group').read_text()}app:x:{group}:\n")
        for entry in Path("/etc").iterdir():
            if entry.name not in _OURS:
                (self._etc / entry.name).symlink_to(f"/.etc/{entry.name}")


def _root() -> list[str]:
    """Return the arguments that show all of this machine but ``/etc`` and ``/backups``."""
    shown: list[str] = []
    for entry in sorted(Path("/").iterdir()):
        if entry.name in {"etc", "backups"}:
            continue
        if entry.is_symlink():
            shown += ["--symlink", str(entry.readlink()), str(entry)]
        else:
            shown += ["--dev-bind", str(entry), str(entry)]
    return shown


def install_tools() -> None:
    """Make sure that the runbook's own tools are there.

    Raises:
        AssertionError: they are not, and cannot be installed; says how a person can.
    """
    done = subprocess.run([str(INSTALL)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
