"""A worker under the interpreter's profiler: ``python -m bench.profiled_worker FILE``."""

from __future__ import annotations

import cProfile
import sys

from schemas.settings import load_settings
from streams.worker import run


def main() -> None:
    """Run a worker until it is told to stop, then write the profile."""
    settings = load_settings()
    profile = cProfile.Profile()
    try:
        profile.runcall(run, settings, str(settings.kafka_bootstrap_servers))
    finally:
        profile.dump_stats(sys.argv[1])


if __name__ == "__main__":
    main()
