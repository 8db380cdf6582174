"""The machine that the figures belong to, without anything that would name it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

LIBRARIES: Final = ("faust-streaming", "aiokafka", "msgspec", "pydantic", "kafka-python")


def describe() -> dict[str, Any]:
    """Return processor, cores, memory, systems and versions; no host name and no path."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memoryGiB": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    """Return the processor's model as the kernel names it."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else platform.machine()
