"""Run a command that dies with its parent: ``python tether.py PARENT COMMAND...``.

The kernel sends the signal, so it holds however the parent ends, also by ``kill -9``. A program
of its own, because between fork and exec a process with threads may do next to nothing. It
imports nothing of ours and is replaced by the command, which keeps the process id.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
ORPHANED: Final = 70
"""The exit code when the parent was gone before we could ask for the signal."""


def main() -> None:
    """Ask for the signal, and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        # KILL, not TERM: brokers of one cluster that leave together wait for each other. What
        # was acknowledged is in the page cache, which outlives the process.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(ORPHANED)
    os.execvp(command[0], command)  # noqa: S606 - to be replaced is the purpose


if __name__ == "__main__":
    main()
