"""A rule's condition: text that people write, compiled once and judged many times a second.

>>> condition = compile_condition("errorRate > 0.05")
>>> condition.verdict([0, 0, 0, 90, 7, 0, *[0] * 11], min_samples=1, window=300_000)
<Verdict.BREACH: 'breach'>
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rules.compiler import compile_tree, is_about_severity, severities
from rules.grammar import parse
from rules.metrics import METRICS, PREFIX, SEVERITY_METRIC, Unit
from rules.suggestions import plain
from rules.tree import Comparison, MetricName, Node, SeverityName, WindowLength, walk
from rules.truth import Test
from rules.verdict import Verdict
from schemas.actions import Reading
from schemas.durations import written
from schemas.errors import RuleError
from schemas.events import Severity
from schemas.tallies import SampleClass

_VERDICT: Final = {True: Verdict.BREACH, False: Verdict.OK, None: Verdict.INSUFFICIENT}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is known to be right; equal to another of the same text.

    ``metrics`` are catalogue names in order of first appearance; ``incident.severity`` stands
    there as the counts that it asks for (``incidents.critical``). ``per_command_type`` is
    whether one of them is written ``commandType.x``: then all are counted per command type.
    """

    text: str
    tree: Node = field(compare=False, repr=False)
    metrics: tuple[str, ...] = field(compare=False)
    per_command_type: bool = field(compare=False)
    sample_classes: frozenset[SampleClass] = field(compare=False)
    test: Test = field(compare=False, repr=False)

    def verdict(self, counts: Sequence[int], *, min_samples: int, window: int) -> Verdict:
        """Return what the condition says about a window's *counts*; *window* is in ms.

        ``min_samples`` holds for catalogue rates only: a rate over little is noise, whereas a
        count is exact however small. A condition on counts alone is never insufficient unless
        it divides by a value that turns out to be 0.
        """
        return _VERDICT[self.test(counts, min_samples, window)]

    def readings(self, counts: Sequence[int]) -> list[Reading]:
        """Return each of the metrics as *counts* have it, in order of first appearance."""
        return [METRICS[name].reading(counts) for name in self.metrics]

    def substituted(self, counts: Sequence[int], *, window: int) -> str:
        """Return the text with each value behind its name.

        ``errorRate > 0.05`` becomes ``errorRate 0.072165 (7/97) > 0.05``.
        """
        pieces, at = [], 0
        for end, value in sorted(_values(self.tree, counts, window)):
            pieces += [self.text[at:end], " ", value]
            at = end
        return "".join([*pieces, self.text[at:]])


def compile_condition(text: str, *, field: str = "condition") -> Condition:
    """Return *text* as a condition that can be judged.

    Total: any text of any content either compiles or is refused, in time linear in its length.
    *field* is the rule's field that an error names.

    Raises:
        RuleError: it is no condition; carries the source, the position and, where one is
            likely, what was meant.
    """
    try:
        tree = parse(text)
        test = compile_tree(tree)
    except RuleError as error:
        raise RuleError(
            error.problem,
            source=text,
            position=error.position,
            suggestion=error.suggestion,
            field=field,
        ) from None
    nodes = list(walk(tree))
    metrics = _metrics(nodes)
    return Condition(
        text=text,
        tree=tree,
        metrics=metrics,
        per_command_type=any(map(_is_per_type, nodes)),
        sample_classes=frozenset(c for name in metrics for c in METRICS[name].sample_classes),
        test=test,
    )


def _metrics(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the catalogue names that a condition reads, each once."""
    names: list[str] = []
    for node in nodes:
        if isinstance(node, MetricName):
            names.append(node.metric)
        elif isinstance(node, Comparison) and is_about_severity(node):
            names += [SEVERITY_METRIC[severity].name for severity in severities(node)]
    return tuple(dict.fromkeys(names))


def _is_per_type(node: Node) -> bool:
    """Return whether a node is a metric of each command type."""
    return isinstance(node, MetricName | SeverityName) and node.written.startswith(PREFIX)


def _values(tree: Node, counts: Sequence[int], window: int) -> Iterator[tuple[int, str]]:
    """Yield where each name ends in the text, and its value."""
    for node in walk(tree):
        match node:
            case MetricName():
                yield node.at + len(node.written), _shown(METRICS[node.metric].reading(counts))
            case WindowLength():
                yield node.at + len("window"), written(window)
            case Comparison(left=SeverityName() as name) | Comparison(right=SeverityName() as name):
                yield name.at + len(name.written), _incidents(severities(node), counts)
            case _:
                pass


def _shown(reading: Reading) -> str:
    """Return a reading as ``0.072165 (7/97)``, ``null (0/0)`` or ``3``."""
    if METRICS[reading.metric].unit is Unit.COUNT:
        return str(reading.numerator)
    value = "null" if reading.value is None else plain(round(reading.value, 6))
    return f"{value} ({reading.numerator}/{reading.denominator})"


def _incidents(asked: Sequence[Severity], counts: Sequence[int]) -> str:
    """Return the incidents of the severities asked for as ``(2 critical)``."""
    found = (SEVERITY_METRIC[severity].reading(counts) for severity in asked)
    shown = (f"{r.numerator} {severity}" for r, severity in zip(found, asked, strict=True))
    return f"({', '.join(shown)})"
