"""Processes of this machine: who we are, and whether another one lives, is stopped, or is gone.

An id alone says nothing: it may be given again, and it means another process in another container.
So the moment of the start goes with it, and the boot and the namespace in which the id holds.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
from datetime import datetime
from pathlib import Path

from governance.leadership.lease import Holder, ProcessState
from schemas.addresses import in_url
from schemas.settings import Settings

BOOT = Path("/proc/sys/kernel/random/boot_id")
ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised here, not bound to


def this_holder(settings: Settings, now: datetime) -> Holder:
    """Return this process as one that may hold the lease, with the address of *settings*."""
    pid = os.getpid()
    found = _stat(pid)
    return Holder(
        instance=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=pid,
        started=found[1] if found else 0,
        place=_place() if found else "",
        address=address_of(settings),
        since=now,
    )


def address_of(settings: Settings) -> str:
    """Return where others reach this API."""
    if settings.advertised_url is not None:
        return settings.advertised_url
    host = socket.gethostname() if settings.host in ANYWHERE else settings.host
    return f"http://{in_url(host)}:{settings.port}"


def state_of(holder: Holder) -> ProcessState:
    """Return what this machine knows of *holder*."""
    if not holder.place or holder.place != _place():
        return ProcessState.UNKNOWN
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return ProcessState.GONE
    except PermissionError:
        pass  # it is there, and another user's
    found = _stat(holder.pid)
    if found is None:
        return ProcessState.UNKNOWN
    state, started = found
    if started != holder.started or state in "ZX":
        return ProcessState.GONE
    return ProcessState.STOPPED if state == "T" else ProcessState.RUNNING


def end(holder: Holder) -> bool:
    """Kill *holder*; return whether we may."""
    try:
        os.kill(holder.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _place() -> str:
    """Return in which a process id holds: one boot of one machine, and one namespace."""
    try:
        return f"{BOOT.read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int] | None:
    """Return the state of a process and when it was started (ticks since the boot), or None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[19])
