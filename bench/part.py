"""Run one part of the product as its own process, as ``governance`` does: ``part worker``.

With ``--profile FILE`` the interpreter's profiler watches it, at several times the cost.
"""

from __future__ import annotations

import argparse
import cProfile
from pathlib import Path

from schemas.settings import load_settings


def main() -> None:
    """Run the part that the command line names until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["worker"])
    parser.add_argument("--profile", type=Path)
    wanted = parser.parse_args()
    if wanted.profile is None:
        worker()
        return
    profile = cProfile.Profile()
    try:
        profile.runcall(worker)
    finally:
        profile.dump_stats(wanted.profile)


def worker() -> None:
    """Run a worker."""
    from streams.worker import run

    settings = load_settings()
    assert settings.kafka_bootstrap_servers is not None
    run(settings, settings.kafka_bootstrap_servers)


if __name__ == "__main__":
    main()
