"""A process that logs numbered lines, a thousand a second, until its standard input ends."""

from __future__ import annotations

import signal
import sys
from itertools import count
from pathlib import Path
from threading import Event, Thread

import structlog

from api.logs import let_go_of_moved_files, start_logs
from api.signals import act_on
from schemas.settings import Settings

log = structlog.get_logger("numbered")

WRITERS = 4
GAP = 0.004
"""Seconds between two lines of a writer."""


def write(writer: int, stop: Event) -> None:
    """Log lines with this writer's numbers, and last how many there are."""
    for number in count():
        if stop.wait(GAP):
            log.info("last", writer=writer, number=number)
            return
        log.info("line", writer=writer, number=number)


def wait_for_end(stop: Event) -> None:
    """Stop the writers when nobody is left who could tell us anything."""
    sys.stdin.read()
    stop.set()


def main() -> None:
    """Write from threads of our own and from the main one, which also gets the signals."""
    start_logs(Settings(_env_file=None, log_file=Path(sys.argv[1])))
    act_on({signal.SIGUSR1: let_go_of_moved_files})
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    stop = Event()
    others = [Thread(target=write, args=(writer, stop)) for writer in range(1, WRITERS)]
    Thread(target=wait_for_end, args=(stop,), daemon=True).start()
    for thread in others:
        thread.start()
    write(0, stop)
    for thread in others:
        thread.join()


if __name__ == "__main__":
    main()
