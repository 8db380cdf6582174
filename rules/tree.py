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


class Number(msgspec.Struct, frozen=True):
    """A number as written; ``5%`` is the share 0.05."""

    at: int
    value: float
    is_share: bool = False
    height: int = 1


class Length(msgspec.Struct, frozen=True):
    """A written duration, in milliseconds."""

    at: int
    milliseconds: int
    height: int = 1


class WindowLength(msgspec.Struct, frozen=True):
    """The word ``window``: the length of the rule's window."""

    at: int
    height: int = 1


class Quoted(msgspec.Struct, frozen=True):
    """A string, without its quotes."""

    at: int
    text: str
    height: int = 1


class MetricName(msgspec.Struct, frozen=True):
    """A metric of the catalogue; ``written`` is how the text has it."""

    at: int
    metric: str
    written: str
    height: int = 1


class SeverityName(msgspec.Struct, frozen=True):
    """The word ``incident.severity``."""

    at: int
    written: str
    height: int = 1


class Negative(msgspec.Struct, frozen=True):
    """A sign changed."""

    at: int
    operand: Node
    height: int


class Arithmetic(msgspec.Struct, frozen=True):
    """Two operands and one of ``+ - * /``."""

    at: int
    operator: Operator
    left: Node
    right: Node
    height: int


class Comparison(msgspec.Struct, frozen=True):
    """Two operands and one of ``> >= < <= == !=``; ``symbol`` is the operator as written."""

    at: int
    operator: Operator
    symbol: str
    left: Node
    right: Node
    height: int


class Not(msgspec.Struct, frozen=True):
    """The opposite of a condition."""

    at: int
    operand: Node
    height: int


class Joined(msgspec.Struct, frozen=True):
    """Two or more conditions of which all (``and``) or any (``or``) must hold."""

    at: int
    operator: Operator
    parts: tuple[Node, ...]
    height: int


Node = (
    Number | Length | WindowLength | Quoted | MetricName | SeverityName
    | Negative | Arithmetic | Comparison | Not | Joined
)  # fmt: skip
