"""The runbook's code blocks, cut out as they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Final

RUNBOOK: Final = Path(__file__).parents[2] / "docs" / "runbook.md"
_FENCE: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; ``line`` is that of its fence."""

    line: int
    language: str
    text: str

    def filled(self, words: Mapping[str, str]) -> str:
        """Return the block with the reader's *words* in it, each of which must occur."""
        text = self.text
        for placeholder, word in words.items():
            assert placeholder in text, (placeholder, text)
            text = text.replace(placeholder, word)
        return text


@cache
def blocks() -> dict[int, Block]:
    """Return every block by its line."""
    text = RUNBOOK.read_text(encoding="utf-8")
    found = [
        Block(text.count("\n", 0, fence.start()) + 1, fence[2], dedent(fence[3]))
        for fence in _FENCE.finditer(text)
    ]
    return {block.line: block for block in found}


def block_with(text: str) -> str:
    """Return the one block that holds *text*, for tests that run it alone."""
    (found,) = [block.text for block in blocks().values() if text in block.text]
    return found
