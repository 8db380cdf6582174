"""The runbook's code blocks, whole, for tests that run one of them as it stands."""

from __future__ import annotations

import re
from pathlib import Path

RUNBOOK = Path(__file__).parents[1] / "docs" / "runbook.md"


def block(holding: str) -> str:
    """Return the one block that holds the text *holding*."""
    text = RUNBOOK.read_text("utf-8")
    blocks: list[str] = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    [found] = [one for one in blocks if holding in one]
    return found
