"""What ``governance up`` shows: a live line while things start on a terminal, plain lines else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Screen:
    """Says what happens, one finished line each; may be used from any thread."""

    def __init__(self, console: Console | None = None) -> None:
        # soft_wrap: a line that people copy, such as a curl, must not be broken in two.
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._said = ""

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[Step]:
        """Show that something takes its time; afterwards one line says what came of it."""
        step = Step(self, name)
        began = time.monotonic()
        if not self._console.is_terminal:
            yield step
        else:
            with self._console.status(f"{name}: {doing}") as status:
                step.live = status.update
                yield step
        self.done(name, step.outcome, seconds=time.monotonic() - began)

    def done(self, name: str, outcome: str, *, seconds: float | None = None) -> None:
        """Say that a part is up."""
        took = "" if seconds is None else f"  ({seconds:.1f} s)"
        self._console.print(
            Text.assemble(("✓ ", "green"), (f"{name:<8}", "bold"), outcome, (took, "dim"))
        )

    def progress(self, text: str) -> None:
        """Say how far a step is, where no live line can; the same is not said twice."""
        if text != self._said:
            self._said = text
            self._console.print(Text(f"  {text}", style="dim"))

    def say(self, text: str = "", *, style: str = "") -> None:
        """Say one line."""
        self._console.print(Text(text, style=style))

    def warn(self, text: str) -> None:
        """Say one line that should be noticed."""
        self._console.print(Text.assemble(("! ", "yellow"), text))


class Step:
    """A step on its way."""

    def __init__(self, screen: Screen, name: str) -> None:
        self.outcome = ""
        self.live: object = None
        self._screen = screen
        self._name = name

    def progress(self, text: str) -> None:
        """Say how far it is."""
        if callable(self.live):
            self.live(f"{self._name}: {text}")
        else:
            self._screen.progress(text)
