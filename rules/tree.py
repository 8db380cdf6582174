"""What a condition is made of, once it is read.

    errorRate > 0.05 and failures / window >= 3 / 1m

    And ── Comparison > ── MetricName errorRate
        │               └─ Number 0.05
        └─ Comparison >= ── Arithmetic / ── MetricName failures
                         │               └─ WindowLength
                         └─ Arithmetic / ── Number 3
                                         └─ Length 60000

``at`` is where in the text a node's first (or only) character at fault would be: the operator of
a node that has one. ``height`` bounds every walk over a tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class Operator(StrEnum):
    """The operators, each in the one form that the tree keeps (``===`` is kept as ``==``)."""

    OR = "or"
    AND = "and"
    NOT = "not"
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    EQUAL = "=="
    UNEQUAL = "!="
    PLUS = "+"
    MINUS = "-"
    TIMES = "*"
    OVER = "/"


Ratio = tuple[int, int]
"""A numerator and a denominator above 0, not in lowest terms."""


class Number(msgspec.Struct, frozen=True, gc=False):
    """A number exactly as written; ``5%`` is the share 5/100."""

    at: int
    value: Ratio
    is_share: bool = False
    height: int = 1


class Length(msgspec.Struct, frozen=True, gc=False):
    """A written duration, in milliseconds."""

    at: int
    milliseconds: int
    height: int = 1


class WindowLength(msgspec.Struct, frozen=True, gc=False):
    """The word ``window``: the length of the rule's window."""

    at: int
    height: int = 1


class Quoted(msgspec.Struct, frozen=True, gc=False):
    """A string, without its quotes."""

    at: int
    text: str
    height: int = 1


class MetricName(msgspec.Struct, frozen=True, gc=False):
    """A metric of the catalogue; ``written`` is how the text has it."""

    at: int
    metric: str
    written: str
    height: int = 1


class SeverityName(msgspec.Struct, frozen=True, gc=False):
    """The word ``incident.severity``."""

    at: int
    written: str
    height: int = 1


class Negative(msgspec.Struct, frozen=True, gc=False):
    """A sign changed."""

    at: int
    operand: Node
    height: int


class Arithmetic(msgspec.Struct, frozen=True, gc=False):
    """Two operands and one of ``+ - * /``."""

    at: int
    operator: Operator
    left: Node
    right: Node
    height: int


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """Two operands and one of ``> >= < <= == !=``; ``symbol`` is the operator as written."""

    at: int
    operator: Operator
    symbol: str
    left: Node
    right: Node
    height: int


class Not(msgspec.Struct, frozen=True, gc=False):
    """The opposite of a condition."""

    at: int
    operand: Node
    height: int


class Joined(msgspec.Struct, frozen=True, gc=False):
    """Two or more conditions of which all (``and``) or any (``or``) must hold."""

    at: int
    operator: Operator
    parts: tuple[Node, ...]
    height: int


Node = (
    Number | Length | WindowLength | Quoted | MetricName | SeverityName
    | Negative | Arithmetic | Comparison | Not | Joined
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below, in the order of the text."""
    match node:
        case Comparison() | Arithmetic():
            return node.left, node.right
        case Joined():
            return node.parts
        case Not() | Negative():
            return (node.operand,)
        case _:
            return ()


def walk(tree: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the text."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if node.height > 1:
            waiting.extend(reversed(children(node)))


def start(node: Node) -> int:
    """Return where the text of a node begins (an opening parenthesis aside)."""
    if isinstance(node, Joined):
        return start(node.parts[0])
    return start(node.left) if isinstance(node, Arithmetic | Comparison) else node.at
